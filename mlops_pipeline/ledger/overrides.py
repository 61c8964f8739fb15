"""Overrides: break-glass, written down. Each stays open, and red, until a normal promotion."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, versions
from mlops_pipeline.ledger.tables import as_record, overrides


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody let a version past what the contract asks for."""

    id: int
    model: str
    version: str
    actor: str
    reason: str
    opened: datetime
    expires: datetime
    closed: datetime | None


def put(
    tx: Connection,
    model: str,
    version: str,
    *,
    actor: str,
    reason: str,
    expires: datetime,
    now: datetime,
) -> int:
    """The override stands, with its name and reason; its number.

    Raises:
        LedgerError: it has no name or reason, or has expired before it begins.
    """
    if not actor.strip() or not reason.strip():
        raise LedgerError(f"{model} version {version}: break-glass needs a name and a reason")
    if expires <= now:
        raise LedgerError(f"{model} version {version}: break-glass must expire after {now}")
    number: int = tx.execute(
        insert(overrides)
        .values(
            model=model, version=version, actor=actor, reason=reason, opened=now, expires=expires
        )
        .returning(overrides.c.id)
    ).scalar_one()
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="override.opened",
        subject=versions.subject_of(model, version),
        detail={"reason": reason, "expires": expires.isoformat()},
    )
    return number


def standing(tx: Connection, model: str) -> tuple[Override, ...]:
    """Overrides that no normal promotion has followed yet, oldest first, expired ones too."""
    query = select(overrides).where(overrides.c.model == model, overrides.c.closed.is_(None))
    return tuple(as_record(row, Override) for row in tx.execute(query.order_by(overrides.c.id)))


def close(tx: Connection, model: str, *, why: str, now: datetime, actor: str) -> int:
    """Every standing override of the model is closed; how many there were."""
    found = standing(tx, model)
    for one in found:
        tx.execute(update(overrides).where(overrides.c.id == one.id).values(closed=now))
        audit.append(
            tx,
            now=now,
            actor=actor,
            action="override.closed",
            subject=versions.subject_of(model, one.version),
            detail={"why": why, "override": one.id},
        )
    return len(found)
