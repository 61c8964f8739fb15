"""The ledger as it was first written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)
Document = sa.JSON().with_variant(JSONB(), "postgresql")
NUMBERED = {"sqlite_autoincrement": True}


def upgrade() -> None:
    """The tables of revision 0001 are there."""
    _chain_and_versions()
    _rollouts()
    _people()


def downgrade() -> None:
    """No table of the ledger is left."""
    for name in (
        "decisions",
        "rollouts",
        "champions",
        "versions",
        "quarantine",
        "verdicts",
        "outbox",
        "incidents",
        "reviews",
        "retrains",
        "audit",
    ):
        op.drop_table(f"ledger_{name}")


def _only_one(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=True, sqlite_where=condition, postgresql_where=condition
    )


def _chain_and_versions() -> None:
    """The audit chain, verdicts, versions, champions and quarantine."""
    op.create_table(
        "ledger_audit",
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("prev", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_audit"),
        sa.UniqueConstraint("prev", name="uq_ledger_audit_prev"),
    )
    op.create_index("ix_ledger_audit_subject", "ledger_audit", ["subject"])
    op.create_table(
        "ledger_verdicts",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("reasons", Document, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("recorded", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_verdicts"),
        **NUMBERED,
    )
    op.create_index("ix_ledger_verdicts_model_candidate", "ledger_verdicts", ["model", "candidate"])
    op.create_table(
        "ledger_versions",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("bundle", sa.Text, nullable=False),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("verdict_id", sa.Integer, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("first", sa.Boolean, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("served", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["verdict_id"], ["ledger_verdicts.id"], name="fk_ledger_versions_verdict_id"
        ),
        sa.PrimaryKeyConstraint("model", "version", name="pk_ledger_versions"),
    )
    op.create_table(
        "ledger_champions",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("moved", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["ledger_versions.model", "ledger_versions.version"],
            name="fk_ledger_champions_model_version",
        ),
        sa.PrimaryKeyConstraint("model", name="pk_ledger_champions"),
    )
    op.create_table(
        "ledger_quarantine",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("model", "lineage", name="pk_ledger_quarantine"),
    )


def _rollouts() -> None:
    """Rollouts and their decisions."""
    op.create_table(
        "ledger_rollouts",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("stable", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("plan", Document, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("started", Instant, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.Column("deadline", Instant, nullable=True),
        sa.Column("evidence_from", Document, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "candidate"],
            ["ledger_versions.model", "ledger_versions.version"],
            name="fk_ledger_rollouts_model_candidate",
        ),
        sa.ForeignKeyConstraint(
            ["model", "stable"],
            ["ledger_versions.model", "ledger_versions.version"],
            name="fk_ledger_rollouts_model_stable",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_rollouts"),
        **NUMBERED,
    )
    _only_one(
        "only_one_active_rollout",
        "ledger_rollouts",
        ["model"],
        "state NOT IN ('promoted', 'rolled_back', 'aborted')",
    )
    op.create_table(
        "ledger_decisions",
        sa.Column("rollout_id", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("evidence", Document, nullable=False),
        sa.Column("decided", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["ledger_rollouts.id"], name="fk_ledger_decisions_rollout_id"
        ),
        sa.PrimaryKeyConstraint("rollout_id", "generation", name="pk_ledger_decisions"),
    )


def _people() -> None:
    """Reviews, incidents, their outbox, retrain requests."""
    op.create_table(
        "ledger_reviews",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("check", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.Column("opened", Instant, nullable=False),
        sa.Column("approver", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("approved", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_reviews"),
        sa.UniqueConstraint(
            "model", "subject", "check", name="uq_ledger_reviews_model_subject_check"
        ),
        **NUMBERED,
    )
    op.create_table(
        "ledger_incidents",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.Column("raised", Instant, nullable=False),
        sa.Column("last_seen", Instant, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("acknowledged_by", sa.Text, nullable=True),
        sa.Column("resolved", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_incidents"),
        **NUMBERED,
    )
    _only_one(
        "only_one_open_incident", "ledger_incidents", ["model", "cause"], "state <> 'resolved'"
    )
    op.create_table(
        "ledger_outbox",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.Integer, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt", Instant, nullable=False),
        sa.Column("told", Document, nullable=False),
        sa.Column("last_error", sa.Text, nullable=True),
        sa.Column("delivered", Instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["ledger_incidents.id"], name="fk_ledger_outbox_incident_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_outbox"),
        **NUMBERED,
    )
    op.create_index("ix_ledger_outbox_next_attempt", "ledger_outbox", ["next_attempt"])
    op.create_table(
        "ledger_retrains",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reasons", Document, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("requested", Instant, nullable=False),
        sa.Column("closed", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_retrains"),
        **NUMBERED,
    )
    _only_one("only_one_open_retrain", "ledger_retrains", ["model"], "state = 'open'")
