"""The outbox: what must still be told, kept until it was.

A row is written in the transaction that makes the news, and leaves the queue only when a delivery
is recorded: a crash between the two tells twice, never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, incidents, outbox

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)


class OutboxEvent(StrEnum):
    """What happened to the incident."""

    RAISED = "raised"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One piece of news about an incident, and how its delivery goes."""

    id: int
    incident_id: int
    event: OutboxEvent
    attempts: int  # that failed
    next_attempt: datetime
    told: list[str]  # destinations that have it already
    last_error: str | None
    delivered: datetime | None


def post(tx: Connection, *, incident_id: int, event: OutboxEvent, now: datetime) -> None:
    """The news waits for delivery, due at once."""
    tx.execute(
        insert(outbox).values(
            incident_id=incident_id, event=event, attempts=0, next_attempt=now, told=[]
        )
    )


def due(tx: Connection, now: datetime) -> tuple[OutboxItem, ...]:
    """What should be delivered now, oldest first."""
    query = select(outbox).where(outbox.c.delivered.is_(None), outbox.c.next_attempt <= now)
    return tuple(as_record(row, OutboxItem) for row in tx.execute(query.order_by(outbox.c.id)))


def undelivered(tx: Connection) -> tuple[OutboxItem, ...]:
    """What nobody has been told yet, due or not: empty when all is well."""
    query = select(outbox).where(outbox.c.delivered.is_(None)).order_by(outbox.c.id)
    return tuple(as_record(row, OutboxItem) for row in tx.execute(query))


def delivered(tx: Connection, item_id: int, *, now: datetime) -> None:
    """The news has arrived; it leaves the queue."""
    item = _get(tx, item_id)
    tx.execute(update(outbox).where(outbox.c.id == item_id).values(delivered=now))
    _note(tx, item, "alert.delivered", now, {"after_failures": item.attempts})


def failed(
    tx: Connection, item_id: int, *, error: str, told: Sequence[str] = (), now: datetime
) -> datetime:
    """The attempt failed, but for the destinations `told`; when the next one is due is given back.

    The wait doubles from 10 seconds to an hour and never ends: an alert is not given up.
    """
    item = _get(tx, item_id)
    again = now + min(FIRST_RETRY * 2.0 ** min(item.attempts, 16), LONGEST_RETRY)
    tx.execute(
        update(outbox)
        .where(outbox.c.id == item_id)
        .values(
            attempts=item.attempts + 1,
            next_attempt=again,
            told=sorted({*item.told, *told}),
            last_error=error,
        )
    )
    _note(tx, item, "alert.failed", now, {"attempt": item.attempts + 1, "error": error})
    return again


def _get(tx: Connection, item_id: int) -> OutboxItem:
    row = tx.execute(select(outbox).where(outbox.c.id == item_id)).one_or_none()
    if row is None:
        raise LedgerError(f"the outbox holds no item {item_id}")
    return as_record(row, OutboxItem)


def _note(
    tx: Connection, item: OutboxItem, action: str, now: datetime, detail: dict[str, object]
) -> None:
    model = tx.execute(
        select(incidents.c.model).where(incidents.c.id == item.incident_id)
    ).scalar_one()
    audit.append(
        tx,
        now=now,
        actor=audit.PIPELINE,
        action=action,
        subject=f"{model}/incident/{item.incident_id}",
        detail={"event": item.event, **detail},
    )
