"""Alembic's environment: `store.open_ledger` runs it, never a command line."""
