"""Dagster's instance folder, made from the `dagster.yaml` of this repository."""

import os
import shutil
from pathlib import Path

import dagster as dg

from mlops_pipeline.errors import SettingsError
from mlops_pipeline.settings import Settings

TEMPLATE = Path(__file__).parent.parent.parent / "dagster.yaml"


def prepare_dagster_home(settings: Settings) -> Path:
    """DAGSTER_HOME exists with this repository's configuration, and the environment names it.

    Raises:
        SettingsError: there is no `dagster.yaml` to copy.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not TEMPLATE.exists():
        raise SettingsError(f"{TEMPLATE} is missing: run from a checkout, or set DAGSTER_HOME")
    shutil.copyfile(TEMPLATE, home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["MLOPS_HOME"] = str(settings.home)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The persistent instance below the home, the one that `mlops dev` shows."""
    return dg.DagsterInstance.from_config(str(prepare_dagster_home(settings)))
