"""A home of its own for a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_pipeline_tests.components.place import Place, place


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """The town, as it is."""
    with place(tmp_path) as found:
        yield found
