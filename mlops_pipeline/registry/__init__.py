"""Registry: a version can be found, trusted and traced.

In:     a candidate that passed, its lineage.
Out:    bundles, ModelVersions, aliases, lineage records.
Never:  judges, serves, or moves the champion pointer without the ledger.
"""
