"""Services that a test need not take down itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_pipeline_tests.serving.asgi import Service, make_service

MakeService = Callable[..., Service]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeService]:
    """Makes services whose log ends with the test."""
    made: list[Service] = []

    def make_one(**options: object) -> Service:
        made.append(make_service(tmp_path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make_one
    for service in made:
        service.log.close()


@pytest.fixture
def service(make: MakeService) -> Service:
    """The small version, with look-ups of the first of April."""
    return make()
