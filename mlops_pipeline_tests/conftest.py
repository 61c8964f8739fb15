"""What every test may rely on: no telemetry, no spinning threads, nothing beyond loopback."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_pipeline_tests.programs import installed

# Before any test imports a library that reads them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
for leaked in ("MLOPS_HOME", "DAGSTER_HOME", "MLFLOW_TRACKING_URI", "MLOPS_PROFILE"):
    os.environ.pop(leaked, None)


@pytest.fixture(autouse=True, scope="module")
def environment_stays() -> Iterator[None]:
    """What a module's tests leave in the environment ends with them.

    MLflow names its store there, and Dagster its home, for every process started later.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser."""
    return Path(installed("chromium", "chromium-browser", package="chromium"))


@pytest.fixture(scope="session")
def compiler() -> str:
    """The C compiler."""
    return installed("cc", package="gcc libc6-dev")
