"""Alerts: what the ledger's outbox holds is told, and a failure to tell is itself recorded.

A message is sent first and recorded afterwards: a crash between the two tells twice, never not at
all. A destination that has a message does not get it again because another one failed.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Engine

from mlops_pipeline.ledger import incidents, outbox
from mlops_pipeline.ledger.incidents import Incident, IncidentSeverity
from mlops_pipeline.ledger.outbox import OutboxEvent, OutboxItem
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring import apprise
from mlops_pipeline.monitoring.apprise import Message, Tone

Sender = Callable[[str, Message], str | None]  # URL, message -> None, or why it was not accepted
NOWHERE = "there is no destination: set MLOPS_ALERT_URLS to Apprise URLs"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One piece of news that did not reach everybody, and when it is tried again."""

    item: int
    incident: int
    error: str
    again: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one look into the outbox."""

    delivered: tuple[int, ...]  # items
    failed: tuple[Undelivered, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was due has reached everybody."""
        return not self.failed


def deliver_due(
    engine: Engine, urls: Sequence[str], *, now: datetime, send: Sender = apprise.send
) -> Delivery:
    """Everything due was sent to every destination, or waits with its error for the next look."""
    with reading(engine) as view:
        due = [(item, incidents.get(view, item.incident_id)) for item in outbox.due(view, now)]
    delivered: list[int] = []
    failed: list[Undelivered] = []
    for item, incident in due:
        told, errors = _tell(item, message_of(incident, item.event), urls, send)
        with transaction(engine) as tx:
            if not errors:
                outbox.delivered(tx, item.id, now=now)
                delivered.append(item.id)
                continue
            error = "; ".join(errors)
            again = outbox.failed(tx, item.id, error=error, told=told, now=now)
        failed.append(Undelivered(item.id, incident.id, error, again))
        _log.error("event=alert_failed incident=%s again=%s error=%r", incident.id, again, error)
    return Delivery(tuple(delivered), tuple(failed))


def message_of(incident: Incident, event: OutboxEvent) -> Message:
    """What a person is told: what, how bad, the values against their limits, and how to answer."""
    resolved = event is OutboxEvent.RESOLVED
    critical = incident.severity is IncidentSeverity.CRITICAL
    tone = Tone.GOOD if resolved else Tone.BAD if critical else Tone.WARNING
    word = "resolved" if resolved else incident.severity
    lines = [
        incident.summary,
        "",
        *(f"{name}: {_plain(value)}" for name, value in incident.detail.items()),
        f"incident: {incident.id}, raised {incident.raised:%Y-%m-%d %H:%M:%S} UTC",
    ]
    return Message(f"[{word}] {incident.model}: {incident.cause}", "\n".join(lines), tone)


def destination_of(url: str) -> str:
    """How the ledger names a destination: its kind and a digest, never the secrets in its URL."""
    return f"{url.partition(':')[0][:20]}#{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _tell(
    item: OutboxItem, message: Message, urls: Sequence[str], send: Sender
) -> tuple[list[str], list[str]]:
    """Who has it now, and what went wrong with the others."""
    told: list[str] = []
    errors = [] if urls else [NOWHERE]
    for url in urls:
        name = destination_of(url)
        if name in item.told:
            continue
        error = send(url, message)
        if error is None:
            told.append(name)
        else:
            errors.append(f"{name}: {error}")
    return told, errors


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    return msgspec.json.encode(value).decode()
