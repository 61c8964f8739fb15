"""The audit chain finds what was changed behind its back."""

from datetime import datetime

import pytest
from sqlalchemy import Connection, Engine, delete, text, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.tables import audit as table
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON


def _write(tx: Connection, count: int, subject: str = MODEL) -> None:
    for number in range(count):
        audit.append(
            tx,
            now=NOON,
            actor="somebody",
            action="test.wrote",
            subject=subject,
            detail={"number": number, "at": LATER},
        )


def test_entries_come_back_as_they_were_written(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        written = audit.append(
            tx,
            now=NOON,
            actor="anna@example.org",
            action="test.wrote",
            subject=f"{MODEL}/version/1",
            detail={"share": 0.1, "name": "Zoë"},
        )
    with reading(ledger) as view:
        assert audit.entries(view) == (written,)
        assert audit.verify(view) == audit.Head(1, written.digest)


def test_the_chain_is_the_same_on_every_database(tx: Connection) -> None:
    _write(tx, 2)
    assert audit.head(tx).digest == (
        "3e53a26aaf0594583cae39911acd93e34535a75c6ca23e758618c2541d305015"
    )


def test_an_edited_row_is_named(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        _write(tx, 5)
        tx.execute(update(table).where(table.c.seq == 3).values(detail='{"number":7}'))
    with reading(ledger) as view, pytest.raises(LedgerError, match=r"entry 3 .*was changed"):
        audit.verify(view)


def test_an_edited_time_is_named(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        _write(tx, 2)
        tx.execute(update(table).where(table.c.seq == 2).values(at=LATER))
    with reading(ledger) as view, pytest.raises(LedgerError, match=r"entry 2 .*was changed"):
        audit.verify(view)


def test_a_removed_row_is_named(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        _write(tx, 4)
        tx.execute(delete(table).where(table.c.seq == 2))
    with reading(ledger) as view, pytest.raises(LedgerError, match="entry 2 is missing before 3"):
        audit.verify(view)


def test_a_cut_end_is_found_by_an_anchor(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        _write(tx, 3)
        anchor = audit.head(tx)
        tx.execute(delete(table).where(table.c.seq == 3))
    with reading(ledger) as view:
        assert audit.verify(view).seq == 2
        with pytest.raises(LedgerError, match="entry 3 is not the one that was anchored"):
            audit.verify(view, anchor=anchor)


def test_an_anchor_inside_the_chain_holds(tx: Connection) -> None:
    _write(tx, 2)
    anchor = audit.head(tx)
    _write(tx, 2)
    assert audit.verify(tx, anchor=anchor).seq == 4


def test_entries_of_a_subject_include_what_is_below_it(tx: Connection) -> None:
    for subject in ("toy", "toy/version/1", "toy2", "to_", "toy/version/10"):
        _write(tx, 1, subject)
    subjects = [entry.subject for entry in audit.entries(tx, "toy")]
    assert subjects == ["toy", "toy/version/1", "toy/version/10"]
    assert [entry.subject for entry in audit.entries(tx, "toy/version/1")] == ["toy/version/1"]


def test_a_time_without_a_zone_is_refused(tx: Connection) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        audit.append(
            tx,
            now=datetime(2026, 3, 1),  # noqa: DTZ001
            actor="a",
            action="b",
            subject="c",
            detail={},
        )


def test_two_entries_cannot_follow_the_same_one(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        _write(tx, 1)
    fork = text(
        "INSERT INTO ledger_audit SELECT 2, at, actor, action, subject, detail, prev, digest "
        "FROM ledger_audit"
    )
    with pytest.raises(Exception, match=r"(?i)unique"), transaction(ledger) as tx:
        tx.execute(fork)
