"""What the straight way uses of uvicorn is there, and unchanged since it was read.

It overrides three callbacks of uvicorn's own protocol. When these tests fail after an upgrade: read
what changed, run `test_straight.py`, then write the new digests down and widen pyproject's range.
"""

import hashlib
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from mlops_pipeline.serving.straight import StraightProtocol

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
DIGESTS = {
    "__init__": "4f08999410347141",
    "connection_made": "6efb565ff3d36b91",
    "connection_lost": "c91a4c9bf2e29c55",
    "data_received": "010a7ae59a5d3b1a",
    "on_message_begin": "96d377fdc7c2baef",
    "on_url": "37be44e962b04ca8",
    "on_header": "65d62c044f61fdbd",
    "on_headers_complete": "1ea8589acfad92d8",
    "on_body": "dba9c32aeba35b6a",
    "on_message_complete": "1fbad42dc31fc01f",
    "on_response_complete": "64e254f28e389e76",
    "shutdown": "d7351fa33f00d430",
}


def digest(method: str) -> str:
    source = inspect.getsource(getattr(HttpToolsProtocol, method))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def test_the_range_is_the_minor_that_was_read() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    asked = next(r for r in map(Requirement, project["dependencies"]) if r.name == "uvicorn")
    assert version("uvicorn") in asked.specifier
    assert "0.53.9" not in asked.specifier
    assert "0.55.0" not in asked.specifier


@pytest.mark.parametrize("method", DIGESTS)
def test_a_method_that_is_overridden_or_called_is_the_one_that_was_read(method: str) -> None:
    assert digest(method) == DIGESTS[method], (
        f"uvicorn {uvicorn.__version__} changed HttpToolsProtocol.{method}: read it beside "
        "serving/straight.py, run test_straight.py, then write down the new digest"
    )


def test_each_callback_that_is_overridden_exists() -> None:
    own = {name for name in vars(StraightProtocol) if name.startswith(("on_", "data_"))}
    assert own == {"data_received", "on_headers_complete", "on_body", "on_message_complete"}
    assert own <= vars(HttpToolsProtocol).keys()


def test_the_attributes_that_are_read_are_set_by_uvicorn() -> None:
    source = inspect.getsource(httptools_impl)
    for name in ("url", "headers", "cycle", "pipeline", "flow", "expect_100_continue", "transport"):
        assert f"self.{name}" in source
    assert ServerState().total_requests == 0
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
