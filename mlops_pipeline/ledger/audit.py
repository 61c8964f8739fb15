"""The audit chain: each entry carries the digest of the one before, so an edit is found.

The digest is SHA-256 over the entry's canonical JSON, with the detail as the very text that is
stored. An edited, removed or inserted entry breaks the chain at its number. Only a rewrite of the
whole chain, or a cut of its end, would pass: keep `head()` somewhere else and hand it to `verify`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, or_, select

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger.tables import audit

PIPELINE = "pipeline"  # the actor where no person acted
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, when and with which particulars."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    prev: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry, to be kept where the ledger's owner cannot write."""

    seq: int
    digest: str


def append(
    tx: Connection,
    *,
    now: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, object],
) -> AuditEntry:
    """The entry is the newest of the chain, once the transaction ends well.

    Args:
        subject: what it is about, from the model downwards: `flight_delay/rollout/3`.
        detail: anything that msgspec writes as JSON.
    """
    newest = head(tx)
    text = msgspec.json.encode(dict(detail), order="sorted").decode()
    seq = newest.seq + 1
    digest = _digest(seq, newest.digest, now, actor, action, subject, text)
    tx.execute(
        insert(audit).values(
            seq=seq,
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            detail=text,
            prev=newest.digest,
            digest=digest,
        )
    )
    particulars = msgspec.json.decode(text)
    return AuditEntry(seq, now, actor, action, subject, particulars, newest.digest, digest)


def head(tx: Connection) -> Head:
    """The newest entry's number and digest; number 0 where there is none."""
    query = select(audit.c.seq, audit.c.digest).order_by(audit.c.seq.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return Head(0, GENESIS) if row is None else Head(row.seq, row.digest)


def verify(tx: Connection, *, anchor: Head | None = None) -> Head:
    """Every entry is as it was written, and `anchor` is one of them; gives the newest.

    Raises:
        LedgerError: names the first entry that is not.
    """
    newest = Head(0, GENESIS)
    anchored = anchor is None or anchor == newest
    for row in tx.execute(select(audit).order_by(audit.c.seq)):
        if row.seq != newest.seq + 1:
            raise LedgerError(f"audit chain: entry {newest.seq + 1} is missing before {row.seq}")
        found = _digest(row.seq, row.prev, row.at, row.actor, row.action, row.subject, row.detail)
        if row.prev != newest.digest or row.digest != found:
            raise LedgerError(
                f"audit chain: entry {row.seq} ({row.action} {row.subject}) was changed after it "
                "was written; restore the ledger from a backup and look who could write to it"
            )
        newest = Head(row.seq, row.digest)
        anchored = anchored or newest == anchor
    if not anchored and anchor is not None:
        raise LedgerError(
            f"audit chain: entry {anchor.seq} is not the one that was anchored: the chain was cut "
            "or written anew"
        )
    return newest


def entries(tx: Connection, subject: str | None = None) -> tuple[AuditEntry, ...]:
    """The chain in its order: all of it, or what concerns `subject` and things below it."""
    query = select(audit).order_by(audit.c.seq)
    if subject is not None:
        below = audit.c.subject.startswith(f"{subject}/", autoescape=True)
        query = query.where(or_(audit.c.subject == subject, below))
    return tuple(_entry(row) for row in tx.execute(query))


def _entry(row: Row[Any]) -> AuditEntry:
    detail = msgspec.json.decode(row.detail)
    return AuditEntry(
        row.seq, row.at, row.actor, row.action, row.subject, detail, row.prev, row.digest
    )


def _digest(
    seq: int, prev: str, at: datetime, actor: str, action: str, subject: str, detail: str
) -> str:
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    content = msgspec.json.encode([seq, prev, instant, actor, action, subject, detail])
    return hashlib.sha256(content).hexdigest()
