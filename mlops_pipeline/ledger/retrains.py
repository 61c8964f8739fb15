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
    PERFORMANCE = "performance"
    ENVIRONMENT = "environment"
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
    inputs: str | None  # digest of what the fit would depend on; None: not known when asked
    attempt: int  # of its run; the next one begins where a run broke
    launched_by: str | None  # the sensor or schedule that hands its run out
    launched: datetime | None
    run_id: str | None
    minutes: float | None  # from launch to end


def request(
    tx: Connection,
    model: str,
    *,
    reason: Mapping[str, object],
    source: RetrainSource,
    cooldown: timedelta,
    now: datetime,
    inputs: str | None = None,
    actor: str = audit.PIPELINE,
) -> RetrainRequest | None:
    """The open request that carries this reason, or None where the model still cools down.

    The same reason told again changes nothing.

    Args:
        reason: which metric, which window, which value against which limit.
        inputs: digest of everything that the fit would depend on.
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
            inputs=inputs,
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
    minutes = None if row.launched is None else (now - row.launched) / timedelta(minutes=1)
    _set(tx, request_id, state="closed", outcome=outcome, closed=now, minutes=minutes)
    _note(tx, f"{row.model}/retrain/{row.id}", "closed", {"outcome": outcome}, actor, now)
    return get(tx, request_id)


def launch(tx: Connection, request_id: int, *, by: str, now: datetime) -> RetrainRequest:
    """The request whose run `by` hands out; who came first keeps it."""
    row = get(tx, request_id)
    if row.launched_by is None and row.state == "open":
        _set(tx, request_id, launched_by=by, launched=now)
        detail = {"by": by, "attempt": row.attempt}
        _note(tx, f"{row.model}/retrain/{row.id}", "launched", detail, audit.PIPELINE, now)
    return get(tx, request_id)


def ran(tx: Connection, request_id: int, *, run_id: str) -> None:
    """It is known which run answers the request."""
    _set(tx, request_id, run_id=run_id)


def try_again(tx: Connection, request_id: int, *, error: str, now: datetime) -> RetrainRequest:
    """The request waits for another run, with the next attempt number."""
    row = get(tx, request_id)
    if row.state == "open":
        _set(tx, request_id, attempt=row.attempt + 1, launched_by=None, run_id=None)
        detail = {"attempt": row.attempt, "error": error}
        _note(tx, f"{row.model}/retrain/{row.id}", "broke", detail, audit.PIPELINE, now)
    return get(tx, request_id)


def decline(tx: Connection, model: str, *, why: Mapping[str, object], now: datetime) -> None:
    """It is on the chain that a wish was not granted, and by which rule."""
    _note(tx, model, "declined", why, audit.PIPELINE, now)


def resume(tx: Connection, model: str, *, by: str, reason: str, now: datetime) -> None:
    """A person lets retraining go on: what had no gain before counts no more.

    Raises:
        LedgerError: the word has no name or reason.
    """
    if not by.strip() or not reason.strip():
        raise LedgerError(f"resuming the retraining of {model} needs a name and a reason")
    _note(tx, model, "resumed", {"reason": reason}, by, now)


def resumed(tx: Connection, model: str) -> datetime | None:
    """When a person last let it go on."""
    times = [e.at for e in audit.entries(tx, model) if e.action == "retrain.resumed"]
    return times[-1] if times else None


def history(tx: Connection, model: str) -> tuple[RetrainRequest, ...]:
    """Every request of the model, newest first."""
    query = select(retrains).where(retrains.c.model == model).order_by(retrains.c.id.desc())
    return tuple(as_record(row, RetrainRequest) for row in tx.execute(query))


def _set(tx: Connection, request_id: int, **values: Any) -> None:
    tx.execute(update(retrains).where(retrains.c.id == request_id).values(**values))


def _join(
    tx: Connection, known: RetrainRequest, why: dict[str, Any], *, actor: str, now: datetime
) -> RetrainRequest:
    """One more reason for the request that is open already."""
    told = msgspec.to_builtins({name: value for name, value in why.items() if name != "at"})
    if any({n: v for n, v in r.items() if n != "at"} == told for r in known.reasons):
        return known
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
