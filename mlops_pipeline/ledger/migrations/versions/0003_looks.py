"""What monitors saw in each window, and what became of each retrain request."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)
Document = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Looks are kept; retrain requests say what was trained on, by which run, and how long."""
    op.create_table(
        "ledger_looks",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("window", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("numbers", Document, nullable=False),
        sa.Column("report", sa.Text, nullable=True),
        sa.Column("looked", Instant, nullable=False),
        sa.UniqueConstraint(
            "model", "kind", "window", "version", name="uq_ledger_looks_model_kind_window_version"
        ),
        sqlite_autoincrement=True,
    )
    for column in (
        sa.Column("inputs", sa.Text, nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("launched_by", sa.Text, nullable=True),
        sa.Column("launched", Instant, nullable=True),
        sa.Column("run_id", sa.Text, nullable=True),
        sa.Column("minutes", sa.Float, nullable=True),
    ):
        op.add_column("ledger_retrains", column)


def downgrade() -> None:
    """As revision 0001 had it."""
    op.drop_table("ledger_looks")
    for name in ("inputs", "attempt", "launched_by", "launched", "run_id", "minutes"):
        op.drop_column("ledger_retrains", name)
