"""Retrain requests: why a model should be trained again, gathered into one run at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, retrains


class RetrainSource(StrEnum):
    """Who asks."""

    DRIFT = "drift"
    SCHEDULE = "schedule"
    ROLLBACK = "rollback"
    PERSON = "person"
    CI = "ci"


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """One request, with the reasons of everybody who asked while it was open."""

    id: int
    model: str
    source: RetrainSource  # who asked first
    reasons: list[dict[str, Any]]
    state: str  # open or closed
    outcome: str | None
    requested: datetime
    closed: datetime | None


def request(
    tx: Connection,
    model: str,
    *,
    reason: Mapping[str, object],
    source: RetrainSource,
    cooldown: timedelta,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> RetrainRequest | None:
    """The open request that carries this reason, or None where the model still cools down.

    Args:
        reason: which metric, which window, which value against which limit.
        cooldown: how long after the last request ended none is made; zero for a person's wish.
    """
    why: dict[str, Any] = {"source": source, "at": now, **reason}
    known = open_request(tx, model)
    if known is not None:
        return _join(tx, known, why, actor=actor, now=now)
    last = _last_closed(tx, model)
    if last is not None and now < last + cooldown:
        _note(tx, model, "declined", {"reason": why, "until": last + cooldown}, actor, now)
        return None
    number: int = tx.execute(
        insert(retrains)
        .values(
            model=model,
            source=RetrainSource(source),
            reasons=msgspec.to_builtins([why]),
            state="open",
            requested=now,
        )
        .returning(retrains.c.id)
    ).scalar_one()
    _note(tx, f"{model}/retrain/{number}", "requested", {"reason": why}, actor, now)
    return get(tx, number)


def open_request(tx: Connection, model: str) -> RetrainRequest | None:
    """The request that waits for its run to end; there is at most one."""
    query = select(retrains).where(retrains.c.model == model, retrains.c.state == "open")
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, RetrainRequest)


def get(tx: Connection, request_id: int) -> RetrainRequest:
    """The request of that number.

    Raises:
        LedgerError: there is none.
    """
    row = tx.execute(select(retrains).where(retrains.c.id == request_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no retrain request has the number {request_id}")
    return as_record(row, RetrainRequest)


def close(
    tx: Connection,
    request_id: int,
    *,
    outcome: str,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> RetrainRequest:
    """The request is answered and the cool-down begins; closing it again changes nothing."""
    row = get(tx, request_id)
    if row.state == "closed":
        return row
    tx.execute(
        update(retrains)
        .where(retrains.c.id == request_id)
        .values(state="closed", outcome=outcome, closed=now)
    )
    _note(tx, f"{row.model}/retrain/{row.id}", "closed", {"outcome": outcome}, actor, now)
    return get(tx, request_id)


def _join(
    tx: Connection, known: RetrainRequest, why: dict[str, Any], *, actor: str, now: datetime
) -> RetrainRequest:
    """One more reason for the request that is open already."""
    reasons = msgspec.to_builtins([*known.reasons, why])
    tx.execute(update(retrains).where(retrains.c.id == known.id).values(reasons=reasons))
    _note(tx, f"{known.model}/retrain/{known.id}", "joined", {"reason": why}, actor, now)
    return get(tx, known.id)


def _last_closed(tx: Connection, model: str) -> datetime | None:
    query = (
        select(retrains.c.closed)
        .where(retrains.c.model == model, retrains.c.state == "closed")
        .order_by(retrains.c.closed.desc())
        .limit(1)
    )
    last: datetime | None = tx.execute(query).scalar_one_or_none()
    return last


def _note(
    tx: Connection,
    subject: str,
    event: str,
    detail: Mapping[str, object],
    actor: str,
    now: datetime,
) -> None:
    audit.append(
        tx, now=now, actor=actor, action=f"retrain.{event}", subject=subject, detail=detail
    )
