"""The champion pointer moves once per decision."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine

from mlops_pipeline.errors import LedgerError, LostRace
from mlops_pipeline.ledger import audit, champion, quarantine, versions
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON, with_champion, with_versions


def _move(tx: Connection, to: str, seen_epoch: int, *, first: bool = False) -> Champion:
    return champion.move(
        tx, MODEL, to=to, seen_epoch=seen_epoch, reason="evidence", now=LATER, first=first
    )


def test_there_is_no_champion_before_the_first(tx: Connection) -> None:
    assert champion.read(tx, MODEL) is None


def test_the_first_champion_is_recorded_as_one_without_a_baseline(tx: Connection) -> None:
    assert with_champion(tx, "1") == Champion(MODEL, "1", None, 1) == champion.read(tx, MODEL)
    assert versions.get(tx, MODEL, "1").first
    (entry,) = audit.entries(tx, "toy/champion")
    assert entry.detail["baseline"] == "first version, no baseline"


def test_a_move_remembers_who_was_before(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2")
    assert _move(tx, "2", 1) == Champion(MODEL, "2", "1", 2) == champion.read(tx, MODEL)


def test_statuses_follow_the_pointer(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2", "3")
    _move(tx, "2", 1)
    _move(tx, "3", 2)
    statuses = {row.version: row.status.value for row in versions.all_of(tx, MODEL)}
    assert statuses == {"1": "retired", "2": "previous", "3": "champion"}


def test_a_rollback_leaves_the_bad_version_in_quarantine(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2")
    _move(tx, "2", 1)
    quarantine.put(tx, MODEL, "lineage-2", version="2", reason="errors", now=LATER)
    assert _move(tx, "1", 2) == Champion(MODEL, "1", "2", 3)
    statuses = {row.version: row.status.value for row in versions.all_of(tx, MODEL)}
    assert statuses == {"1": "champion", "2": "quarantined"}


def test_a_decision_on_an_old_epoch_loses(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2", "3")
    _move(tx, "2", 1)
    with pytest.raises(LostRace, match="at epoch 2, the decision was made at 1"):
        _move(tx, "3", 1)


def test_of_eight_promoters_at_once_one_wins(ledger: Engine) -> None:
    names = [str(number) for number in range(2, 10)]
    with transaction(ledger) as tx:
        with_champion(tx, "1")
        with_versions(tx, *names)
    all_have_read = threading.Barrier(len(names))

    def promote(name: str) -> str:
        with reading(ledger) as view:
            seen = champion.read(view, MODEL)
        assert seen is not None
        all_have_read.wait()
        try:
            with transaction(ledger) as tx:
                return _move(tx, name, seen.epoch).version
        except LostRace:
            return "lost"

    with ThreadPoolExecutor(len(names)) as pool:
        outcomes = list(pool.map(promote, names))
    assert outcomes.count("lost") == 7
    with reading(ledger) as view:
        leader = champion.read(view, MODEL)
        assert leader is not None
        assert (leader.version in outcomes, leader.epoch) == (True, 2)
        assert len(audit.entries(view, "toy/champion")) == 2


def test_a_first_champion_must_be_said_to_be_one(tx: Connection) -> None:
    with_versions(tx, "1")
    with pytest.raises(LedgerError, match="no champion to compare version 1 with"):
        _move(tx, "1", 0)


def test_there_is_only_one_first_champion(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2")
    with pytest.raises(LedgerError, match="version 2 cannot be the first"):
        _move(tx, "2", 1, first=True)


def test_a_champion_cannot_follow_itself(tx: Connection) -> None:
    with_champion(tx, "1")
    with pytest.raises(LedgerError, match="version 1 is champion already, at epoch 1"):
        _move(tx, "1", 1)


def test_an_unknown_version_cannot_lead(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="toy has no version '1'; known: none"):
        _move(tx, "1", 0, first=True)


def test_what_was_rolled_back_cannot_come_again_under_another_number(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2")
    quarantine.put(tx, MODEL, "lineage-2", version="2", reason="errors", now=NOON)
    versions.add(tx, MODEL, "3", bundle="other", lineage="lineage-2", now=LATER)
    with pytest.raises(LedgerError, match="version 3 is in quarantine"):
        _move(tx, "3", 1)
