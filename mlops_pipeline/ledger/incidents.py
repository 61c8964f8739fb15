"""Incidents: one per cause, told once, open until somebody or something resolves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, outbox
from mlops_pipeline.ledger.tables import as_record, incidents


class IncidentSeverity(StrEnum):
    """How soon a person should look."""

    WARNING = "warning"
    CRITICAL = "critical"


class IncidentState(StrEnum):
    """Who has it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause that a person should know of."""

    id: int
    model: str
    cause: str  # a stable word: `drift`, `rollback`, `stale_data`
    severity: IncidentSeverity
    state: IncidentState
    summary: str
    detail: dict[str, Any]  # values against limits, window, versions, links
    raised: datetime
    last_seen: datetime
    times: int  # how often it was seen while open
    acknowledged_by: str | None
    resolved: datetime | None


def raise_incident(
    tx: Connection,
    model: str,
    *,
    cause: str,
    severity: IncidentSeverity,
    summary: str,
    detail: Mapping[str, object],
    now: datetime,
    actor: str = audit.PIPELINE,
) -> Incident:
    """The incident is open, and its alert waits in the outbox of the same transaction.

    While one of the same model and cause is open, it is seen once more and nobody is told again.
    """
    known = _open_one(tx, model, cause)
    if known is not None:
        return _seen_again(tx, known, now)
    number: int = tx.execute(
        insert(incidents)
        .values(
            model=model,
            cause=cause,
            severity=IncidentSeverity(severity),
            state=IncidentState.OPEN,
            summary=summary,
            detail=msgspec.to_builtins(dict(detail)),
            raised=now,
            last_seen=now,
            times=1,
        )
        .returning(incidents.c.id)
    ).scalar_one()
    outbox.post(tx, incident_id=number, event=outbox.OutboxEvent.RAISED, now=now)
    subject = f"{model}/incident/{number}"
    told = {"cause": cause, "severity": severity, "summary": summary}
    audit.append(tx, now=now, actor=actor, action="incident.raised", subject=subject, detail=told)
    return get(tx, number)


def acknowledge(tx: Connection, incident_id: int, *, by: str, now: datetime) -> Incident:
    """Somebody has it.

    Raises:
        LedgerError: there is no such incident, or it is resolved.
    """
    _unresolved(tx, incident_id)
    return _change(
        tx,
        incident_id,
        {"state": IncidentState.ACKNOWLEDGED, "acknowledged_by": by},
        action="incident.acknowledged",
        detail={},
        actor=by,
        now=now,
    )


def resolve(
    tx: Connection,
    incident_id: int,
    *,
    reason: str,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> Incident:
    """The cause is gone; those who were told of it will be told so.

    Raises:
        LedgerError: there is no such incident, or it is resolved already.
    """
    _unresolved(tx, incident_id)
    outbox.post(tx, incident_id=incident_id, event=outbox.OutboxEvent.RESOLVED, now=now)
    return _change(
        tx,
        incident_id,
        {"state": IncidentState.RESOLVED, "resolved": now},
        action="incident.resolved",
        detail={"reason": reason},
        actor=actor,
        now=now,
    )


def get(tx: Connection, incident_id: int) -> Incident:
    """The incident of that number.

    Raises:
        LedgerError: there is none.
    """
    row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no incident has the number {incident_id}")
    return as_record(row, Incident)


def open_incidents(tx: Connection, model: str | None = None) -> tuple[Incident, ...]:
    """What is not resolved, oldest first; of one model, or of all."""
    query = select(incidents).where(incidents.c.state != IncidentState.RESOLVED)
    if model is not None:
        query = query.where(incidents.c.model == model)
    return tuple(as_record(row, Incident) for row in tx.execute(query.order_by(incidents.c.id)))


def all_of(tx: Connection, model: str | None = None) -> tuple[Incident, ...]:
    """Every incident there ever was, oldest first; of one model, or of all."""
    query = select(incidents).order_by(incidents.c.id)
    if model is not None:
        query = query.where(incidents.c.model == model)
    return tuple(as_record(row, Incident) for row in tx.execute(query))


def _open_one(tx: Connection, model: str, cause: str) -> Incident | None:
    query = select(incidents).where(
        incidents.c.model == model,
        incidents.c.cause == cause,
        incidents.c.state != IncidentState.RESOLVED,
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, Incident)


def _seen_again(tx: Connection, known: Incident, now: datetime) -> Incident:
    tx.execute(
        update(incidents)
        .where(incidents.c.id == known.id)
        .values(times=known.times + 1, last_seen=now)
    )
    return get(tx, known.id)


def _unresolved(tx: Connection, incident_id: int) -> None:
    if get(tx, incident_id).state is IncidentState.RESOLVED:
        raise LedgerError(f"incident {incident_id} is resolved already")


def _change(
    tx: Connection,
    incident_id: int,
    values: Mapping[str, object],
    *,
    action: str,
    detail: Mapping[str, object],
    actor: str,
    now: datetime,
) -> Incident:
    tx.execute(update(incidents).where(incidents.c.id == incident_id).values(**values))
    changed = get(tx, incident_id)
    audit.append(
        tx,
        now=now,
        actor=actor,
        action=action,
        subject=f"{changed.model}/incident/{incident_id}",
        detail=detail,
    )
    return changed
