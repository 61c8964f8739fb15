"""What every test may rely on: no telemetry, no spinning threads, nothing beyond loopback."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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

    MLflow names its store there, and Dagster its home, for every process started later. MLflow
    also remembers the store, and names it again whenever it has used another for a moment.
    """
    before = dict(os.environ)
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser; a machine without it skips the test, CI fails it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and CI may not skip the tests of the UI")
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return Path(found)
