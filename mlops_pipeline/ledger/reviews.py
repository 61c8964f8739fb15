"""The review queue: what a person should look at before the pipeline goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.tables import as_record, reviews

DISMISSED = "dismissed"  # in the detail of a question that nobody needs to answer any more


class ReviewKind(StrEnum):
    """What is looked at."""

    DATA = "data"  # a snapshot that failed a check
    CANDIDATE = "candidate"  # a candidate that did not pass its gate


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One question: does `check` on `subject` matter?"""

    id: int
    model: str
    kind: ReviewKind
    subject: str  # digest of what is looked at: other bytes are another question
    check: str
    severity: str
    detail: dict[str, Any]
    opened: datetime
    approver: str | None
    reason: str | None
    approved: datetime | None

    @property
    def dismissed(self) -> bool:
        """It was closed without letting its subject pass."""
        return DISMISSED in self.detail


def open_review(
    tx: Connection,
    model: str,
    *,
    kind: ReviewKind,
    subject: str,
    check: str,
    severity: str,
    detail: Mapping[str, object],
    now: datetime,
    actor: str = audit.PIPELINE,
) -> int:
    """The question is asked once per model, subject and check; its number is given back."""
    known = find(tx, model, subject, check)
    if known is not None:
        return known.id
    number: int = tx.execute(
        insert(reviews)
        .values(
            model=model,
            kind=ReviewKind(kind),
            subject=subject,
            check=check,
            severity=severity,
            detail=msgspec.to_builtins(dict(detail)),
            opened=now,
        )
        .returning(reviews.c.id)
    ).scalar_one()
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="review.opened",
        subject=f"{model}/review/{number}",
        detail={"kind": kind, "subject": subject, "check": check, "severity": severity},
    )
    return number


def approve(
    tx: Connection, review_id: int, *, approver: str, reason: str, now: datetime
) -> ReviewRow:
    """A person answered: this subject may pass this check. Answering again changes nothing.

    Raises:
        LedgerError: there is no such question, or the answer has no name or reason.
    """
    row = get(tx, review_id)
    if not approver.strip() or not reason.strip():
        raise LedgerError(f"review {review_id}: an approval needs a name and a reason")
    if row.approved is not None:
        return row
    tx.execute(
        update(reviews)
        .where(reviews.c.id == review_id)
        .values(approver=approver, reason=reason, approved=now)
    )
    audit.append(
        tx,
        now=now,
        actor=approver,
        action="review.approved",
        subject=f"{row.model}/review/{review_id}",
        detail={"subject": row.subject, "check": row.check, "reason": reason},
    )
    return get(tx, review_id)


def dismiss(tx: Connection, review_id: int, *, by: str, reason: str, now: datetime) -> ReviewRow:
    """A failed candidate waits no longer, and does not pass. Closing it again changes nothing.

    Raises:
        LedgerError: it is about no candidate, or has neither name nor reason.
    """
    row = get(tx, review_id)
    if row.kind is not ReviewKind.CANDIDATE or row.check != "gate":
        raise LedgerError(f"review {review_id} is about {row.check}: it can only be answered")
    if not by.strip() or not reason.strip():
        raise LedgerError(f"review {review_id}: closing it needs a name and a reason")
    if row.approved is not None:
        return row
    tx.execute(
        update(reviews)
        .where(reviews.c.id == review_id)
        .values(approver=by, reason=reason, approved=now, detail={**row.detail, DISMISSED: True})
    )
    audit.append(
        tx,
        now=now,
        actor=by,
        action="review.dismissed",
        subject=f"{row.model}/review/{review_id}",
        detail={"subject": row.subject, "check": row.check, "reason": reason},
    )
    return get(tx, review_id)


def get(tx: Connection, review_id: int) -> ReviewRow:
    """The question of that number.

    Raises:
        LedgerError: there is none.
    """
    row = tx.execute(select(reviews).where(reviews.c.id == review_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no review has the number {review_id}")
    return as_record(row, ReviewRow)


def open_items(tx: Connection, model: str | None = None) -> tuple[ReviewRow, ...]:
    """Questions without an answer, oldest first; of one model, or of all."""
    query = select(reviews).where(reviews.c.approved.is_(None)).order_by(reviews.c.id)
    if model is not None:
        query = query.where(reviews.c.model == model)
    return tuple(as_record(row, ReviewRow) for row in tx.execute(query))


def is_approved(tx: Connection, model: str, subject: str, check: str) -> bool:
    """Whether a person let this very subject pass this check."""
    known = find(tx, model, subject, check)
    return known is not None and known.approved is not None and not known.dismissed


def find(tx: Connection, model: str, subject: str, check: str) -> ReviewRow | None:
    """The question, with its answer where there is one; None where nobody asked."""
    query = select(reviews).where(
        reviews.c.model == model, reviews.c.subject == subject, reviews.c.check == check
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, ReviewRow)
