"""Verdicts: what the gate said about a candidate, kept so that it can be asked again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, verdicts


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A gate's word on one candidate, bound to the report it rests on."""

    id: int
    model: str
    candidate: str  # digest
    verdict: str  # promote, hold, reject or error
    report: str  # digest
    reasons: list[Any]
    run_id: str
    recorded: datetime


def record(
    tx: Connection,
    model: str,
    *,
    candidate_digest: str,
    verdict: str,
    report_digest: str,
    reasons: Sequence[object],
    run_id: str,
    now: datetime,
    actor: str = audit.PIPELINE,
) -> int:
    """The verdict is kept; its number is given back. Saying the same again gives the same number.

    Args:
        reasons: records or text, in the gate's order; stored as JSON.
    """
    known = latest(tx, model, candidate_digest)
    if known is not None and (known.verdict, known.report) == (verdict, report_digest):
        return known.id
    number: int = tx.execute(
        insert(verdicts)
        .values(
            model=model,
            candidate=candidate_digest,
            verdict=verdict,
            report=report_digest,
            reasons=msgspec.to_builtins(list(reasons)),
            run_id=run_id,
            recorded=now,
        )
        .returning(verdicts.c.id)
    ).scalar_one()
    subject = f"{model}/candidate/{candidate_digest}"
    detail = {"id": number, "verdict": verdict, "report": report_digest, "run": run_id}
    audit.append(
        tx, now=now, actor=actor, action="verdict.recorded", subject=subject, detail=detail
    )
    return number


def latest(tx: Connection, model: str, candidate_digest: str) -> VerdictRow | None:
    """The newest verdict on that candidate, or None where no gate has seen it."""
    query = (
        select(verdicts)
        .where(verdicts.c.model == model, verdicts.c.candidate == candidate_digest)
        .order_by(verdicts.c.id.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, VerdictRow)


def get(tx: Connection, verdict_id: int) -> VerdictRow:
    """The verdict of that number.

    Raises:
        LedgerError: there is none.
    """
    row = tx.execute(select(verdicts).where(verdicts.c.id == verdict_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no verdict has the number {verdict_id}")
    return as_record(row, VerdictRow)
