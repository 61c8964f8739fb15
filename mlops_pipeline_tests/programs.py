"""Programs that the tests need and the package index does not have."""

import os
import shutil

import pytest


def installed(*names: str, package: str) -> str:
    """The program of one of these names, of Debian's package.

    Without it a test is skipped; CI, which installs them all, fails.
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{names[0]} is missing, and CI may not skip what needs it")
        pytest.skip(f"{names[0]} is not installed (Debian: apt-get install {package})")
    return found
