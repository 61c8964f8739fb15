"""The champion: one pointer per model, moved only by compare-and-set.

This row is the truth about which version is champion. The registry's alias and the router's
weights follow it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError, LostRace
from mlops_pipeline.ledger import audit, quarantine, versions
from mlops_pipeline.ledger.tables import as_record, champions
from mlops_pipeline.ledger.versions import VersionStatus

FIRST = "first version, no baseline"


@dataclass(frozen=True, slots=True)
class Champion:
    """Who is champion, who was before, and how often the pointer has moved."""

    model: str
    version: str
    previous: str | None
    epoch: int


def read(tx: Connection, model: str) -> Champion | None:
    """The champion, or None before the first one."""
    row = tx.execute(select(champions).where(champions.c.model == model)).one_or_none()
    return None if row is None else as_record(row, Champion)


def move(
    tx: Connection,
    model: str,
    *,
    to: str,
    seen_epoch: int,
    reason: str,
    now: datetime,
    actor: str = audit.PIPELINE,
    first: bool = False,
) -> Champion:
    """Version `to` is champion, provided that nobody moved the pointer since `seen_epoch`.

    Args:
        seen_epoch: the epoch on which the decision rests; 0 where there was no champion.
        first: the model has no champion to compare with; recorded as such.

    Raises:
        LostRace: the pointer was moved meanwhile.
        LedgerError: the version is unknown, in quarantine or champion already; or `first` does
            not fit.
    """
    before = read(tx, model)
    epoch = before.epoch if before else 0
    if epoch != seen_epoch:
        raise LostRace(
            f"{model}: the champion is at epoch {epoch}, the decision was made at {seen_epoch}; "
            "read it again and decide again"
        )
    _may_lead(tx, model, to, before, first=first)
    after = Champion(model, to, before.version if before else None, epoch + 1)
    _store(tx, after, reason=reason, now=now)
    if first:
        versions.mark_first(tx, model, to)
    _tell_versions(tx, model, to, before, reason=reason, now=now, actor=actor)
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="champion.moved",
        subject=f"{model}/champion",
        detail={
            "from": after.previous,
            "to": to,
            "epoch": after.epoch,
            "reason": reason,
            "baseline": FIRST if first else "compared",
        },
    )
    return after


def _store(tx: Connection, after: Champion, *, reason: str, now: datetime) -> None:
    values = {
        "version": after.version,
        "previous": after.previous,
        "epoch": after.epoch,
        "reason": reason,
        "moved": now,
    }
    if after.epoch == 1:
        tx.execute(insert(champions).values(model=after.model, **values))
        return
    seen = after.epoch - 1
    moved = tx.execute(
        update(champions)
        .where(champions.c.model == after.model, champions.c.epoch == seen)
        .values(**values)
    )
    if moved.rowcount != 1:
        raise LostRace(f"{after.model}: the champion moved beyond epoch {seen}; read it again")


def _may_lead(tx: Connection, model: str, to: str, before: Champion | None, *, first: bool) -> None:
    version = versions.get(tx, model, to)
    if before is None and not first:
        raise LedgerError(
            f"{model} has no champion to compare version {to} with: deploy it with first=True, "
            f"which records {FIRST!r}"
        )
    if before is not None and first:
        raise LedgerError(
            f"{model} has champion {before.version}: version {to} cannot be the first; roll it out"
        )
    if before is not None and before.version == to:
        raise LedgerError(f"{model}: version {to} is champion already, at epoch {before.epoch}")
    if quarantine.is_quarantined(tx, model, version.lineage):
        raise LedgerError(
            f"{model} version {to} is in quarantine, as is everything of its lineage "
            f"{version.lineage[:12]}…: train a new one"
        )


def _tell_versions(
    tx: Connection,
    model: str,
    to: str,
    before: Champion | None,
    *,
    reason: str,
    now: datetime,
    actor: str,
) -> None:
    """Statuses follow the pointer; a version in quarantine stays there."""
    steps = [(to, VersionStatus.CHAMPION)]
    if before is not None:
        steps.append((before.version, VersionStatus.PREVIOUS))
        if before.previous not in (None, to):
            steps.append((str(before.previous), VersionStatus.RETIRED))
    for version, status in steps:
        if versions.get(tx, model, version).status is not VersionStatus.QUARANTINED:
            versions.set_status(tx, model, version, status, reason=reason, now=now, actor=actor)
