"""Who may become a version: the gate's word, or a person's on what it held, and no twin."""

from pathlib import Path

import pytest

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.ledger import audit, quarantine, reviews, verdicts
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.registry.mlflow import open_registry
from mlops_pipeline.registry.proof import Stores
from mlops_pipeline.registry.register import change_of, may_pass, register_passed
from mlops_pipeline.registry.standing import stored_manifest
from mlops_pipeline.registry.twins import quarantined_twin
from mlops_pipeline_tests.registry import world
from mlops_pipeline_tests.registry.world import NOW

BUNDLE = "b" * 64


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Stores of a home of its own."""
    return world.open_home(tmp_path / "home")


def passes(stores: Stores, verdict: str, approver: str | None = None) -> bool:
    """Whether a bundle with this verdict and answer may become a version."""
    with transaction(stores.ledger) as tx:
        verdicts.record(
            tx, "visits", candidate_digest=BUNDLE, verdict=verdict, report_digest="r", reasons=(),
            run_id="r", now=NOW,
        )  # fmt: skip
        if approver is not None:
            number = reviews.open_review(
                tx, "visits", kind=ReviewKind.CANDIDATE, subject=BUNDLE, check="gate",
                severity="error", detail={}, now=NOW,
            )  # fmt: skip
            reviews.approve(tx, number, approver=approver, reason="seen", now=NOW)
        return may_pass(tx, "visits", BUNDLE, verdicts.latest(tx, "visits", BUNDLE))


@pytest.mark.parametrize(
    ("verdict", "approver", "expected"),
    [
        ("promote", None, True),
        ("hold", None, False),
        ("hold", "ana", True),
        ("hold", audit.PIPELINE, False),  # closed by a later pass is no answer about this one
        ("reject", "ana", False),
        ("error", "ana", False),
    ],
)
def test_only_what_was_held_can_be_passed_by_a_person(
    stores: Stores, verdict: str, approver: str | None, expected: bool
) -> None:
    assert passes(stores, verdict, approver) is expected


def test_what_was_held_and_closed_without_a_yes_does_not_pass(stores: Stores) -> None:
    assert not passes(stores, "hold")
    with transaction(stores.ledger) as tx:
        number = reviews.open_review(
            tx, "visits", kind=ReviewKind.CANDIDATE, subject=BUNDLE, check="gate",
            severity="error", detail={}, now=NOW,
        )  # fmt: skip
        reviews.dismiss(tx, number, by="ana", reason="not needed", now=NOW)
        assert not may_pass(tx, "visits", BUNDLE, verdicts.latest(tx, "visits", BUNDLE))


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ([], "first"),
        (["superior", "non_inferior"], "improved"),
        (["non_inferior"], "equivalent"),
        (["superior", "inferior"], "regressed"),
    ],
)
def test_a_version_is_tagged_by_what_it_is_beside_the_champion(
    outcomes: list[str], word: str
) -> None:
    reasons = [{"subject": "log_loss against the champion", "outcome": o} for o in outcomes]
    assert change_of([*reasons, {"subject": "roc_auc", "outcome": "met"}]) == word


@pytest.mark.slow
def test_the_same_model_files_under_another_commit_stay_in_quarantine(stores: Stores) -> None:
    gone = world.registered_version(stores)
    code = {"seed": 7}  # another lineage; the trees do not sample, so the files are equal
    bundle, lineage, _ = world.judged(stores, world.contract(), **code)
    manifest = stored_manifest(stores.objects, bundle)
    assert manifest.lineage_digest != gone.row.lineage
    with transaction(stores.ledger) as tx:
        assert quarantined_twin(tx, stores.objects, manifest) is None
        quarantine.put(tx, "visits", gone.row.lineage, version="1", reason="errors", now=NOW)
        twin = quarantined_twin(tx, stores.objects, manifest)
    assert twin is not None
    assert twin.version == "1"
    with pytest.raises(RegistryError, match="the very model files of version 1, which is in quar"):
        register_passed(
            stores.ledger,
            stores.objects,
            open_registry(stores.settings),
            bundle=bundle,
            run_id="none",
            keys=stores.settings.keys,
            now=NOW,
        )
    assert lineage.seed == 7
