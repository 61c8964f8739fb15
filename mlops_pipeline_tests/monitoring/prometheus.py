"""Programs of Debian's packages, and what is configured for them under `deploy/`."""

import os
import shutil
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"


def debian(command: str, package: str = "prometheus") -> str:
    """The program of Debian's package; a machine without it skips, CI fails."""
    found = shutil.which(command)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{command} is missing, and CI may not skip the tests of the alerts")
        pytest.skip(f"{command} is not installed (Debian: apt-get install {package})")
    return found
