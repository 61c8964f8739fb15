"""The code location: what `dagster dev` and the daemon load."""

from pathlib import Path

from dagster import Definitions, definitions, load_from_defs_folder


@definitions
def defs() -> Definitions:
    """Everything below `defs/`."""
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
