"""Looks: what a monitor saw in one window of one version, kept so that windows can be compared.

Whether a finding fires depends on several windows; pictures, sensors and metrics read them here,
without Dagster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, looks


class LookKind(StrEnum):
    """What was looked at."""

    DRIFT = "drift"
    PERFORMANCE = "performance"


@dataclass(frozen=True, slots=True)
class Look:
    """One window as a monitor saw it last."""

    id: int
    model: str
    kind: LookKind
    window: str  # the month, as 2013-06
    version: str
    outcome: str  # the monitor's word
    reason: str
    numbers: dict[str, Any]
    report: str | None  # digest of the whole report
    looked: datetime


def record(
    tx: Connection,
    model: str,
    *,
    kind: LookKind,
    window: str,
    version: str,
    outcome: str,
    reason: str,
    numbers: Mapping[str, object],
    report: str | None,
    now: datetime,
) -> Look:
    """The window's look is this one; what was seen before is on the audit chain."""
    values: dict[str, Any] = {
        "outcome": outcome,
        "reason": reason,
        "numbers": msgspec.to_builtins(dict(numbers)),
        "report": report,
        "looked": now,
    }
    place = (
        (looks.c.model == model)
        & (looks.c.kind == LookKind(kind))
        & (looks.c.window == window)
        & (looks.c.version == version)
    )
    changed = tx.execute(update(looks).where(place).values(**values)).rowcount
    if not changed:
        named = {"model": model, "kind": LookKind(kind), "window": window, "version": version}
        tx.execute(insert(looks).values(**named, **values))
    audit.append(
        tx,
        now=now,
        actor=audit.PIPELINE,
        action="look.recorded",
        subject=f"{model}/{kind}/{window}",
        detail={"version": version, "outcome": outcome, "report": report},
    )
    return as_record(tx.execute(select(looks).where(place)).one(), Look)


def newest(
    tx: Connection,
    model: str,
    kind: LookKind,
    *,
    version: str | None = None,
    upto: str | None = None,
    limit: int = 1,
) -> tuple[Look, ...]:
    """The newest windows, newest first; of one version, or of whichever led then."""
    query = select(looks).where(looks.c.model == model, looks.c.kind == LookKind(kind))
    if version is not None:
        query = query.where(looks.c.version == version)
    if upto is not None:
        query = query.where(looks.c.window <= upto)
    query = query.order_by(looks.c.window.desc(), looks.c.looked.desc()).limit(limit)
    return tuple(as_record(row, Look) for row in tx.execute(query))


def all_of(tx: Connection, model: str | None = None) -> tuple[Look, ...]:
    """Every look, in the order of models, kinds and windows."""
    query = select(looks).order_by(looks.c.model, looks.c.kind, looks.c.window, looks.c.looked)
    if model is not None:
        query = query.where(looks.c.model == model)
    return tuple(as_record(row, Look) for row in tx.execute(query))
