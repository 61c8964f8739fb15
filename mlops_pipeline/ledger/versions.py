"""Versions: what can serve, what served well, and what never again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, versions


class VersionStatus(StrEnum):
    """Where a version stands."""

    REGISTERED = "registered"  # known; its gate has not passed
    STAGING = "staging"  # passed its gate; may be rolled out
    CHAMPION = "champion"
    PREVIOUS = "previous"  # the champion before
    RETIRED = "retired"
    QUARANTINED = "quarantined"  # rolled back: its lineage may never be champion


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version: which bytes, from which lineage, and how far it came."""

    model: str
    version: str
    bundle: str  # digest of the tree that serves
    lineage: str  # digest over everything that made it
    verdict_id: int | None
    status: VersionStatus
    first: bool  # deployed without a baseline
    created: datetime
    served: datetime | None  # when it was last seen to serve well


def add(
    tx: Connection,
    model: str,
    version: str,
    *,
    bundle: str,
    lineage: str,
    now: datetime,
    verdict_id: int | None = None,
    status: VersionStatus = VersionStatus.REGISTERED,
    actor: str = audit.PIPELINE,
) -> VersionRow:
    """The version is known; adding the same one again changes nothing.

    Raises:
        LedgerError: the name belongs to other bytes.
    """
    known = find(tx, model, version)
    if known is not None:
        if (known.bundle, known.lineage) != (bundle, lineage):
            raise LedgerError(
                f"{model} version {version} is bundle {known.bundle[:12]}…, not {bundle[:12]}…: "
                "a version never changes; register a new one"
            )
        return known
    made = {"bundle": bundle, "lineage": lineage, "verdict_id": verdict_id, "status": status}
    row = {"model": model, "version": version, "first": False, "created": now, **made}
    tx.execute(insert(versions).values(row))
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="version.added",
        subject=subject_of(model, version),
        detail=made,
    )
    return get(tx, model, version)


def find(tx: Connection, model: str, version: str) -> VersionRow | None:
    """The version, or None where it was never added."""
    query = select(versions).where(versions.c.model == model, versions.c.version == version)
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, VersionRow)


def get(tx: Connection, model: str, version: str) -> VersionRow:
    """The version.

    Raises:
        LedgerError: it was never added.
    """
    row = find(tx, model, version)
    if row is None:
        known = ", ".join(v.version for v in all_of(tx, model)) or "none"
        raise LedgerError(f"{model} has no version {version!r}; known: {known}")
    return row


def all_of(tx: Connection, model: str) -> tuple[VersionRow, ...]:
    """Every version of the model, oldest first."""
    query = select(versions).where(versions.c.model == model)
    rows = tx.execute(query.order_by(versions.c.created, versions.c.version))
    return tuple(as_record(row, VersionRow) for row in rows)


def models(tx: Connection) -> tuple[str, ...]:
    """Every model that has a version, by name."""
    query = select(versions.c.model).distinct().order_by(versions.c.model)
    return tuple(tx.execute(query).scalars())


def proven(tx: Connection, model: str) -> tuple[VersionRow, ...]:
    """Versions that served well and are not in quarantine, last served first: rollback targets."""
    query = (
        select(versions)
        .where(
            versions.c.model == model,
            versions.c.served.is_not(None),
            versions.c.status != VersionStatus.QUARANTINED,
        )
        .order_by(versions.c.served.desc())
    )
    return tuple(as_record(row, VersionRow) for row in tx.execute(query))


def mark_served(
    tx: Connection,
    model: str,
    version: str,
    *,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> None:
    """The version served well at `now`: it can be rolled back to."""
    _change(tx, model, version, served=now)
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="version.served",
        subject=subject_of(model, version),
        detail={},
    )


def set_status(
    tx: Connection,
    model: str,
    version: str,
    status: VersionStatus,
    *,
    reason: str,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> None:
    """The version has that status; where it had it already, nothing is recorded."""
    before = get(tx, model, version).status
    if before is status:
        return
    _change(tx, model, version, status=status)
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="version.status",
        subject=subject_of(model, version),
        detail={"from": before, "to": status, "reason": reason},
    )


def mark_first(tx: Connection, model: str, version: str) -> None:
    """The version was deployed without a baseline; `champion.move` records why."""
    _change(tx, model, version, first=True)


def subject_of(model: str, version: str) -> str:
    """How the audit chain names a version."""
    return f"{model}/version/{version}"


def _change(tx: Connection, model: str, version: str, **values: object) -> None:
    get(tx, model, version)
    tx.execute(
        update(versions)
        .where(versions.c.model == model, versions.c.version == version)
        .values(**values)
    )
