"""What Alembic executes: the migrations, on the connection that `store.open_ledger` passes in."""

from alembic import context

from mlops_pipeline.ledger.store import REVISION_TABLE
from mlops_pipeline.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
