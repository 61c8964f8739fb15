"""Alerts arrive, or are seen not to have arrived."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mlops_pipeline.ledger import audit, incidents, outbox
from mlops_pipeline.ledger.incidents import Incident, IncidentSeverity
from mlops_pipeline.ledger.outbox import OutboxEvent
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring.alerts import NOWHERE, deliver_due, destination_of, message_of
from mlops_pipeline.monitoring.apprise import Message, Tone
from mlops_pipeline_tests.monitoring.rows import NOON
from mlops_pipeline_tests.monitoring.webhook import webhook

SECOND = timedelta(seconds=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """A ledger with one critical incident that nobody has been told of."""
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with transaction(engine) as tx:
        incidents.raise_incident(
            tx,
            "parcels",
            cause="rollback",
            severity=IncidentSeverity.CRITICAL,
            summary="version 2 was rolled back: error 30.0% > budget 2.0%",
            detail={"requests": 57, "share": 0.123456, "versions": ["1", "2"]},
            now=NOON,
        )
    yield engine
    engine.dispose()


class Destinations:
    """Takes messages; those in `down` refuse."""

    def __init__(self, *down: str) -> None:
        self.down = set(down)
        self.taken: list[tuple[str, str]] = []

    def send(self, url: str, message: Message) -> str | None:
        """As `apprise.send` does."""
        if url in self.down:
            return "HTTP 503"
        self.taken.append((url, message.title))
        return None


def incident(engine: Engine) -> Incident:
    """The one incident."""
    with reading(engine) as view:
        return incidents.get(view, 1)


def next_attempt(engine: Engine) -> datetime:
    """When the one undelivered item is due."""
    with reading(engine) as view:
        (item,) = outbox.undelivered(view)
    return item.next_attempt


def test_an_incident_reaches_a_real_webhook(ledger: Engine) -> None:
    with webhook() as hook:
        found = deliver_due(ledger, [hook.url], now=NOON)
    assert (found.ok, found.delivered) == (True, (1,))
    (post,) = hook.received
    assert post["title"] == "[critical] parcels: rollback"
    assert post["type"] == "failure"
    assert post["message"].splitlines() == [
        "version 2 was rolled back: error 30.0% > budget 2.0%",
        "",
        "requests: 57",
        "share: 0.1235",
        'versions: ["1","2"]',
        "incident: 1, raised 2026-03-01 12:00:00 UTC",
    ]


def test_what_was_delivered_is_not_delivered_again(ledger: Engine) -> None:
    with webhook() as hook:
        deliver_due(ledger, [hook.url], now=NOON)
        assert deliver_due(ledger, [hook.url], now=NOON + SECOND).delivered == ()
    assert len(hook.received) == 1


def test_a_webhook_that_refuses_is_told_later(ledger: Engine) -> None:
    with webhook() as hook:
        hook.statuses = [503]
        found = deliver_due(ledger, [hook.url], now=NOON)
        assert not found.ok
        assert "error=503" in found.failed[0].error
        assert found.failed[0].again == NOON + 10 * SECOND
        assert deliver_due(ledger, [hook.url], now=NOON + 9 * SECOND).delivered == ()
        assert deliver_due(ledger, [hook.url], now=NOON + 10 * SECOND).delivered == (1,)
    assert len(hook.received) == 1


def test_a_webhook_that_is_gone_is_a_failure_that_the_ledger_shows(
    ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook() as hook:
        pass
    found = deliver_due(ledger, [hook.url], now=NOON)
    assert "Connection error" in found.failed[0].error
    with reading(ledger) as view:
        (item,) = outbox.undelivered(view)
        last = audit.entries(view)[-1]
    assert item.last_error == found.failed[0].error
    assert (last.action, last.subject) == ("alert.failed", "parcels/incident/1")
    assert "event=alert_failed incident=1" in caplog.text


def test_without_a_destination_the_alert_waits_and_says_what_to_do(ledger: Engine) -> None:
    found = deliver_due(ledger, [], now=NOON)
    assert [failure.error for failure in found.failed] == [NOWHERE]


def test_a_destination_that_has_it_is_not_told_again_for_the_others_sake(ledger: Engine) -> None:
    two = Destinations("slack://b")
    urls = ["json://a", "slack://b"]
    found = deliver_due(ledger, urls, now=NOON, send=two.send)
    assert found.failed[0].error == f"{destination_of('slack://b')}: HTTP 503"
    two.down.clear()
    assert deliver_due(ledger, urls, now=next_attempt(ledger), send=two.send).ok
    assert [url for url, _ in two.taken] == ["json://a", "slack://b"]


def test_one_failure_does_not_hold_up_the_rest(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        incidents.resolve(tx, 1, reason="rolled back", now=NOON)
    titles: list[str] = []

    def refuse_the_first(_: str, message: Message) -> str | None:
        titles.append(message.title)
        return "down" if len(titles) == 1 else None

    found = deliver_due(ledger, ["json://a"], now=NOON, send=refuse_the_first)
    assert titles == ["[critical] parcels: rollback", "[resolved] parcels: rollback"]
    assert (found.delivered, [failure.item for failure in found.failed]) == ((2,), [1])


def test_secrets_of_a_url_are_nowhere(ledger: Engine) -> None:
    url = "json://user:hunter2@127.0.0.1:9/hook?+Token=hunter2"
    found = deliver_due(ledger, [url, "nonsense://hunter2"], now=NOON)
    with reading(ledger) as view:
        story = str(audit.entries(view)) + str(outbox.undelivered(view))
    assert "hunter2" not in story + str(found)
    assert "begins with 'nonsense' is none that Apprise understands" in found.failed[0].error


def test_the_tone_follows_the_severity(ledger: Engine) -> None:
    assert message_of(incident(ledger), OutboxEvent.RAISED).tone is Tone.BAD
    assert message_of(incident(ledger), OutboxEvent.RESOLVED).tone is Tone.GOOD
