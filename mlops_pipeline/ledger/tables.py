"""The ledger's tables, as SQLAlchemy Core has them; `migrations/` makes the same in a database."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from mlops_pipeline.errors import LedgerError

T = TypeVar("T")


class UtcTime(TypeDecorator[datetime]):
    """An instant: aware in Python, `timestamptz` in PostgreSQL, UTC without a mark in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, or LedgerError for a time that does not say where it was read."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise LedgerError(f"time {value.isoformat()} has no time zone; pass datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The same instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON().with_variant(JSONB(), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _number() -> Column[int]:
    """A row's number, given by the database and never given twice."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _only_one(name: str, table: Table, where: str, *columns: str) -> Index:
    """At most one row for these columns among those that `where` selects."""
    chosen = [table.c[column] for column in columns]
    return Index(name, *chosen, unique=True, sqlite_where=text(where), postgresql_where=text(where))


audit = Table(
    "ledger_audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),  # canonical JSON: the digest covers these bytes
    Column("prev", Text, nullable=False, unique=True),  # no second entry on one predecessor
    Column("digest", Text, nullable=False),
)

verdicts = Table(
    "ledger_verdicts",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("reasons", Document, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("recorded", UtcTime, nullable=False),
    Index("ix_ledger_verdicts_model_candidate", "model", "candidate"),
    sqlite_autoincrement=True,
)

versions = Table(
    "ledger_versions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("bundle", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("verdict_id", Integer, ForeignKey("ledger_verdicts.id"), nullable=True),
    Column("status", Text, nullable=False),
    Column("first", Boolean, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("served", UtcTime, nullable=True),
)

champions = Table(
    "ledger_champions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("previous", Text, nullable=True),
    Column("epoch", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("moved", UtcTime, nullable=False),
    ForeignKeyConstraint(
        ["model", "version"], ["ledger_versions.model", "ledger_versions.version"]
    ),
)

rollouts = Table(
    "ledger_rollouts",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("stable", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("plan", Document, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("changed", UtcTime, nullable=False),
    Column("deadline", UtcTime, nullable=True),
    Column("evidence_from", Document, nullable=False),
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(
        ["model", "candidate"], ["ledger_versions.model", "ledger_versions.version"]
    ),
    ForeignKeyConstraint(["model", "stable"], ["ledger_versions.model", "ledger_versions.version"]),
    sqlite_autoincrement=True,
)
_only_one(
    "only_one_active_rollout",
    rollouts,
    "state NOT IN ('promoted', 'rolled_back', 'aborted')",
    "model",
)

decisions = Table(
    "ledger_decisions",
    metadata,
    Column("rollout_id", Integer, ForeignKey("ledger_rollouts.id"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("action", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("evidence", Document, nullable=False),
    Column("decided", UtcTime, nullable=False),
)

quarantine = Table(
    "ledger_quarantine",
    metadata,
    Column("model", Text, primary_key=True),
    Column("lineage", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)

reviews = Table(
    "ledger_reviews",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("check", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("detail", Document, nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("approver", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("approved", UtcTime, nullable=True),
    UniqueConstraint("model", "subject", "check"),
    sqlite_autoincrement=True,
)

incidents = Table(
    "ledger_incidents",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("detail", Document, nullable=False),
    Column("raised", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("acknowledged_by", Text, nullable=True),
    Column("resolved", UtcTime, nullable=True),
    sqlite_autoincrement=True,
)
_only_one("only_one_open_incident", incidents, "state <> 'resolved'", "model", "cause")

outbox = Table(
    "ledger_outbox",
    metadata,
    _number(),
    Column("incident_id", Integer, ForeignKey("ledger_incidents.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt", UtcTime, nullable=False, index=True),
    Column("told", Document, nullable=False),  # destinations that have it already
    Column("last_error", Text, nullable=True),
    Column("delivered", UtcTime, nullable=True),
    sqlite_autoincrement=True,
)

retrains = Table(
    "ledger_retrains",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reasons", Document, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text, nullable=True),
    Column("requested", UtcTime, nullable=False),
    Column("closed", UtcTime, nullable=True),
    Column("inputs", Text, nullable=True),  # digest of all that the fit would depend on
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("launched_by", Text, nullable=True),
    Column("launched", UtcTime, nullable=True),
    Column("run_id", Text, nullable=True),
    Column("minutes", Float, nullable=True),
    sqlite_autoincrement=True,
)
_only_one("only_one_open_retrain", retrains, "state = 'open'", "model")

looks = Table(
    "ledger_looks",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("numbers", Document, nullable=False),
    Column("report", Text, nullable=True),
    Column("looked", UtcTime, nullable=False),
    UniqueConstraint("model", "kind", "window", "version"),
    sqlite_autoincrement=True,
)


overrides = Table(
    "ledger_overrides",
    metadata,
    _number(),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("closed", UtcTime, nullable=True),
    sqlite_autoincrement=True,
)


def as_record(row: Row[Any], kind: type[T]) -> T:
    """The row as a frozen record; the record's fields are a part of the row's columns."""
    return msgspec.convert({str(name): row._mapping[name] for name in row._mapping}, kind)
