"""Alerts stay in the outbox until they are delivered."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, outbox
from mlops_pipeline_tests.ledger.rows import LATER, NOON
from mlops_pipeline_tests.ledger.test_incidents import raised


def test_a_delivered_alert_leaves_the_queue(tx: Connection) -> None:
    raised(tx)
    (item,) = outbox.due(tx, NOON)
    outbox.delivered(tx, item.id, now=LATER)
    assert outbox.due(tx, LATER) == outbox.undelivered(tx) == ()


def test_a_failed_alert_is_due_later_and_keeps_its_error(tx: Connection) -> None:
    raised(tx)
    (item,) = outbox.due(tx, NOON)
    again = outbox.failed(tx, item.id, error="HTTP 503", now=NOON)
    assert again == NOON + timedelta(seconds=10)
    assert outbox.due(tx, NOON) == ()
    (waiting,) = outbox.undelivered(tx)
    assert (waiting.attempts, waiting.last_error) == (1, "HTTP 503")
    assert outbox.due(tx, again) == (waiting,)


def test_who_was_told_is_remembered(tx: Connection) -> None:
    raised(tx)
    (item,) = outbox.due(tx, NOON)
    outbox.failed(tx, item.id, error="down", told=["pager"], now=NOON)
    outbox.failed(tx, item.id, error="down", told=["chat", "pager"], now=LATER)
    assert outbox.undelivered(tx)[0].told == ["chat", "pager"]


def test_the_wait_doubles_up_to_an_hour_and_never_ends(tx: Connection) -> None:
    raised(tx)
    (item,) = outbox.due(tx, NOON)
    waits = [
        (outbox.failed(tx, item.id, error="down", now=NOON) - NOON).total_seconds()
        for _ in range(20)
    ]
    assert waits[:10] == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert set(waits[9:]) == {3600}


def test_deliveries_and_failures_are_on_the_chain(tx: Connection) -> None:
    raised(tx)
    (item,) = outbox.due(tx, NOON)
    outbox.failed(tx, item.id, error="down", now=NOON)
    outbox.delivered(tx, item.id, now=LATER)
    told = [(e.action, e.detail) for e in audit.entries(tx, "toy/incident/1")][1:]
    assert told == [
        ("alert.failed", {"attempt": 1, "error": "down", "event": "raised"}),
        ("alert.delivered", {"after_failures": 1, "event": "raised"}),
    ]


def test_an_unknown_item_is_an_error(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="the outbox holds no item 3"):
        outbox.delivered(tx, 3, now=NOON)
