"""What travels between rooms once a candidate is registered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version; `bundle` is the tree digest under which its files are kept."""

    model: str
    version: str
    bundle: str
    lineage: str
    run_id: str
