"""Quarantine: what was rolled back cannot come again under another number."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from mlops_pipeline.ledger import audit, versions
from mlops_pipeline.ledger.tables import as_record, quarantine


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A lineage that may not lead, and the version that showed why."""

    model: str
    lineage: str
    version: str
    reason: str
    since: datetime


def put(
    tx: Connection,
    model: str,
    lineage: str,
    *,
    version: str,
    reason: str,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> None:
    """Nothing of that lineage can become champion; the first reason stays."""
    if is_quarantined(tx, model, lineage):
        return
    tx.execute(
        insert(quarantine).values(
            model=model, lineage=lineage, version=version, reason=reason, since=now
        )
    )
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="quarantine.put",
        subject=versions.subject_of(model, version),
        detail={"lineage": lineage, "reason": reason},
    )
    for row in versions.all_of(tx, model):
        if row.lineage == lineage:
            versions.set_status(
                tx,
                model,
                row.version,
                versions.VersionStatus.QUARANTINED,
                reason=reason,
                now=now,
                actor=actor,
            )


def is_quarantined(tx: Connection, model: str, lineage: str) -> bool:
    """Whether the lineage is in quarantine."""
    query = select(quarantine.c.version).where(
        quarantine.c.model == model, quarantine.c.lineage == lineage
    )
    return tx.execute(query).first() is not None


def all_of(tx: Connection, model: str) -> tuple[Quarantined, ...]:
    """What is in quarantine, oldest first."""
    query = select(quarantine).where(quarantine.c.model == model).order_by(quarantine.c.since)
    return tuple(as_record(row, Quarantined) for row in tx.execute(query))
