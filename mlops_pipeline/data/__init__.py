"""Data: rows become snapshots that cannot change and have been looked at.

In:     a contract and a window of event time.
Out:    SnapshotRefs, frames read back from them, CheckOutcomes.
Never:  makes features, fits, or decides what a failed check means for a version.
"""
