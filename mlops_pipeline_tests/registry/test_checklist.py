"""The checklist before promotion: each item can fail, and says what to mend."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, champion, quarantine, versions
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline.registry import checklist
from mlops_pipeline.registry.bundle import ATTESTATION
from mlops_pipeline.registry.checklist import (
    Item,
    blockers,
    checklist_lines,
    locked,
    promotion_checklist,
)
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.environment import read_environment
from mlops_pipeline.registry.proof import Stores
from mlops_pipeline_tests.registry import world
from mlops_pipeline_tests.registry.world import NOW

pytestmark = pytest.mark.slow


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Stores of a home of its own."""
    return world.open_home(tmp_path / "home")


def items(stores: Stores, **changes: object) -> dict[str, Item]:
    """The checklist of version 1, by item."""
    world.registered_version(stores, **changes)  # type: ignore[arg-type]
    return {i.name: i for i in promotion_checklist(stores, "visits", "1", now=NOW)}


def test_a_version_just_built_lacks_only_its_look_ups(stores: Stores) -> None:
    found = items(stores)
    assert [name for name, item in found.items() if not item.passed] == ["look-ups"]
    assert "materialise visits/feature_snapshot" in found["look-ups"].text
    assert found["way back"].text == "first version: there is nothing to go back to"
    assert "NO  look-ups: missing: nothing is published in" in "\n".join(
        checklist_lines(tuple(found.values()))
    )


def test_a_rebuild_that_was_proven_is_remembered_when_the_code_moves_on(stores: Stores) -> None:
    items(stores)
    with reading(stores.ledger) as view:
        told = audit.entries(view, versions.subject_of("visits", "1"))
        row = versions.get(view, "visits", "1")
    assert [e.detail["answer"] for e in told if e.action == checklist.REBUILT] == [0]
    assert [why.partition(":")[0] for why in blockers(stores, row, now=NOW)] == ["look-ups"]
    again = promotion_checklist(stores, "visits", "1", now=NOW)
    assert any("proven when it was built" in item.text for item in again)


def test_other_code_without_a_remembered_rebuild_blocks(stores: Stores) -> None:
    found = items(stores, code=replace(read_code(), sources="0" * 64))
    assert not found["rebuild"].passed
    assert "the code is another" in found["rebuild"].text


def test_other_packages_than_those_it_was_built_with_block(stores: Stores) -> None:
    found = items(stores, environment=replace(read_environment(), packages="0" * 64))
    assert not found["dependencies"].passed
    assert "built with other packages" in found["dependencies"].text


def test_a_package_that_is_not_as_locked_blocks(stores: Stores, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# comment\nNumPy==0.0.1\nnothing-such==1\n")
    assert locked(lock) == {"numpy": "0.0.1", "nothing-such": "1"}
    passed, said = checklist._dependencies(world.registered_version(stores).lineage, lock)
    assert not passed
    assert said.startswith("not as locked: numpy ")
    assert locked(tmp_path / "none") == {}


def test_an_unsigned_version_blocks(stores: Stores) -> None:
    known = world.registered_version(stores)
    names = stores.objects.get_json(known.row.bundle)
    bare = stores.objects.put_json({n: d for n, d in names.items() if n != ATTESTATION})
    passed, said = checklist._signature(stores, replace(known.row, bundle=bare))
    assert not passed
    assert said.startswith("Unsigned: visits version 1 holds no attestation.json")


def test_a_lineage_with_a_hole_or_without_its_rows_blocks(stores: Stores) -> None:
    made = world.registered_version(stores).lineage
    assert checklist._lineage(replace(made, definition=""), stores.objects) == (
        False,
        "it does not name its feature definitions",
    )
    passed, said = checklist._lineage(replace(made, snapshot="9" * 64), stores.objects)
    assert not passed
    assert "the rows of snapshot 999999999999… are gone" in said


def test_a_contract_that_says_nothing_has_no_card() -> None:
    asked = world.contract()
    silent = asked.model_copy(update={"description": " "})
    assert checklist._card(silent) == (False, "the contract does not say its description")


def test_a_twin_that_was_registered_before_a_quarantine_is_stopped_by_it(stores: Stores) -> None:
    gone = world.registered_version(stores).row
    twin = world.registered_version(stores, version="2", seed=7).row  # the same trees
    again = world.registered_version(stores, version="3").row
    assert (twin.lineage == gone.lineage, again.lineage == gone.lineage) == (False, True)
    assert checklist._quarantine(stores, twin)[0]
    with transaction(stores.ledger) as tx:
        quarantine.put(tx, "visits", gone.lineage, version="1", reason="errors", now=NOW)
        assert versions.get(tx, "visits", "3").status is VersionStatus.QUARANTINED
        with pytest.raises(LedgerError, match="version 3 is in quarantine"):
            champion.move(tx, "visits", to="3", seen_epoch=0, reason="t", now=NOW, first=True)
    said = "quarantine: it holds the very model files of version 1, in quarantine"
    assert said in blockers(stores, twin, now=NOW)
    assert checklist._quarantine(stores, again) == (
        False,
        f"its lineage {gone.lineage[:12]}… was rolled back: train a new one",
    )


def test_a_champion_that_could_not_be_started_again_is_no_way_back(stores: Stores) -> None:
    first = world.registered_version(stores).row
    second = world.registered_version(stores, version="2", seed=5).row
    assert second.lineage != first.lineage
    with transaction(stores.ledger) as tx:
        champion.move(tx, "visits", to="1", seen_epoch=0, reason="t", now=NOW, first=True)
    assert checklist._way_back(stores, second) == (
        True,
        "version 1 serves as the first; its signature is valid, over 4 files",
    )
    assert checklist._way_back(stores, first) == (True, "it is the champion")
    for public in (stores.settings.keys / "trusted").iterdir():
        public.unlink()
    passed, said = checklist._way_back(stores, second)
    assert not passed
    assert said.startswith("version 1, the champion, cannot be started again: UntrustedKey")
