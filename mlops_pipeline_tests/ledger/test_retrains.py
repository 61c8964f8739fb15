"""Retrain requests gather reasons and cool down."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, retrains
from mlops_pipeline.ledger.retrains import RetrainRequest, RetrainSource
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON

DAY = timedelta(hours=24)


def _ask(
    tx: Connection, source: RetrainSource, *, now: datetime, cooldown: timedelta = DAY
) -> RetrainRequest | None:
    return retrains.request(
        tx,
        MODEL,
        reason={"column": "temp", "value": 0.4, "limit": 0.2},
        source=source,
        cooldown=cooldown,
        now=now,
    )


def test_a_request_carries_its_reason(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    assert asked == retrains.open_request(tx, MODEL)
    assert asked.reasons == [
        {
            "source": "drift",
            "at": "2026-03-01T12:00:00Z",
            "column": "temp",
            "value": 0.4,
            "limit": 0.2,
        }
    ]


def test_requests_while_one_is_open_join_it(tx: Connection) -> None:
    first = _ask(tx, RetrainSource.DRIFT, now=NOON)
    second = _ask(tx, RetrainSource.SCHEDULE, now=LATER)
    assert first is not None
    assert second is not None
    assert (second.id, second.source) == (first.id, "drift")
    assert [reason["source"] for reason in second.reasons] == ["drift", "schedule"]


def test_a_model_cools_down_after_a_request_ended(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    ended = retrains.close(tx, asked.id, outcome="held", now=LATER)
    assert (ended.state, ended.outcome, ended.closed) == ("closed", "held", LATER)
    assert _ask(tx, RetrainSource.DRIFT, now=LATER + DAY - timedelta(seconds=1)) is None
    assert _ask(tx, RetrainSource.DRIFT, now=LATER + DAY) is not None


def test_a_declined_request_is_on_the_chain(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    retrains.close(tx, asked.id, outcome="held", now=NOON)
    _ask(tx, RetrainSource.DRIFT, now=LATER)
    last = audit.entries(tx, MODEL)[-1]
    assert (last.action, last.detail["until"]) == ("retrain.declined", "2026-03-02T12:00:00Z")


def test_a_persons_wish_need_not_wait(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    retrains.close(tx, asked.id, outcome="held", now=NOON)
    assert _ask(tx, RetrainSource.PERSON, now=LATER, cooldown=timedelta(0)) is not None


def test_closing_again_changes_nothing(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    first = retrains.close(tx, asked.id, outcome="promoted", now=NOON)
    assert retrains.close(tx, asked.id, outcome="held", now=LATER) == first


def test_an_unknown_request_is_an_error(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="no retrain request has the number 8"):
        retrains.close(tx, 8, outcome="held", now=NOON)


def test_the_same_reason_told_again_changes_nothing(tx: Connection) -> None:
    first = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert _ask(tx, RetrainSource.DRIFT, now=LATER) == first


def test_who_launches_first_keeps_the_request(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    retrains.launch(tx, asked.id, by="drift", now=NOON)
    again = retrains.launch(tx, asked.id, by="schedule", now=LATER)
    assert (again.launched_by, again.launched) == ("drift", NOON)


def test_a_run_that_broke_leaves_the_next_attempt_to_anybody(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    retrains.launch(tx, asked.id, by="drift", now=NOON)
    waiting = retrains.try_again(tx, asked.id, error="lost worker", now=LATER)
    assert (waiting.attempt, waiting.launched_by, waiting.state) == (2, None, "open")


def test_minutes_count_from_the_launch(tx: Connection) -> None:
    asked = _ask(tx, RetrainSource.DRIFT, now=NOON)
    assert asked is not None
    retrains.launch(tx, asked.id, by="drift", now=NOON)
    assert retrains.close(tx, asked.id, outcome="promote", now=LATER).minutes == 1.0


def test_a_persons_word_to_go_on_is_on_the_chain(tx: Connection) -> None:
    assert retrains.resumed(tx, MODEL) is None
    retrains.resume(tx, MODEL, by="ann", reason="new features", now=LATER)
    assert retrains.resumed(tx, MODEL) == LATER


def test_going_on_needs_a_reason(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="needs a name and a reason"):
        retrains.resume(tx, MODEL, by="ann", reason=" ", now=LATER)
