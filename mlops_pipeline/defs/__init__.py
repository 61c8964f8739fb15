"""Definitions: what Dagster loads.

In:     the contracts that settings name.
Out:    Dagster objects and resources.
Never:  holds helpers: everything here is imported at load.
"""
