"""Looks: one per window, version and kind, the newest first."""

from typing import Any

from sqlalchemy import Connection

from mlops_pipeline.ledger import looks
from mlops_pipeline.ledger.looks import Look, LookKind
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON


def _look(tx: Connection, window: str, outcome: str = "steady", **changes: Any) -> Look:
    fields: dict[str, Any] = {"version": "1", "kind": LookKind.DRIFT, "now": NOON, **changes}
    return looks.record(
        tx, MODEL, window=window, outcome=outcome, reason="", numbers={}, report=None, **fields
    )


def test_the_newest_windows_come_first(tx: Connection) -> None:
    for window in ("2013-05", "2013-07", "2013-06"):
        _look(tx, window)
    found = looks.newest(tx, MODEL, LookKind.DRIFT, limit=2)
    assert [look.window for look in found] == ["2013-07", "2013-06"]


def test_a_window_looked_at_again_holds_what_was_seen_last(tx: Connection) -> None:
    first = _look(tx, "2013-06")
    again = _look(tx, "2013-06", "drifted", now=LATER)
    assert (again.id, again.outcome, again.looked) == (first.id, "drifted", LATER)
    assert looks.all_of(tx, MODEL) == (again,)


def test_kinds_versions_and_later_windows_are_kept_apart(tx: Connection) -> None:
    _look(tx, "2013-06")
    _look(tx, "2013-07", version="2")
    _look(tx, "2013-08", kind=LookKind.PERFORMANCE)
    assert [k.window for k in looks.newest(tx, MODEL, LookKind.DRIFT, version="1", limit=9)] == [
        "2013-06"
    ]
    assert [k.window for k in looks.newest(tx, MODEL, LookKind.DRIFT, upto="2013-06")] == [
        "2013-06"
    ]
