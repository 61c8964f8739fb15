"""Break-glass: who let a version past its checklist or approvals, why, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0003b"  # sorts after 0003: a ledger that is newer than the code is told by that
down_revision = "0003"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Overrides are kept, open until a normal promotion."""
    op.create_table(
        "ledger_overrides",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened", Instant, nullable=False),
        sa.Column("expires", Instant, nullable=False),
        sa.Column("closed", Instant, nullable=True),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """As revision 0003 had it."""
    op.drop_table("ledger_overrides")
