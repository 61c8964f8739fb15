"""A real dagster-webserver and dagster-daemon over the tiny code location, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.errors import CiError

LOCATION = Path(__file__).parent / "location.py"
INSTANCE = """\
telemetry: {enabled: false}
concurrency: {runs: {max_concurrent_runs: 4}}
"""
MAKE_TABLES = "import dagster; dagster.DagsterInstance.get().get_runs_count()"
START = 120.0  # seconds that a loaded machine may need


@contextmanager
def live_dagster(home: Path) -> Iterator[str]:
    """The address of a webserver whose code location is loaded; a daemon takes up its runs."""
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        # First alone: two processes that make the tables of one SQLite file at once both fail.
        subprocess.run(
            [sys.executable, "-c", MAKE_TABLES], env=_environment(home), check=True, timeout=START
        )
        web = ("dagster_webserver", "--host", "127.0.0.1", "--port", str(port))
        server = stack.enter_context(_running(home, *web, "-f", str(LOCATION)))
        _wait_for_jobs(url, server)
        stack.enter_context(_running(home, "dagster._daemon", "run", "-f", str(LOCATION)))
        yield url


def free_port() -> int:
    """A port of loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(home: Path, module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (home / f"{module}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=_environment(home),
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):  # the second also ends its code servers
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            continue


def _wait_for_jobs(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START
    with DagsterClient(url) as client:
        while True:
            assert server.poll() is None, "dagster-webserver ended; see its log"
            try:
                entries = client.locations()
            except CiError:
                entries = ()
            if entries and all(entry.load_status == "LOADED" for entry in entries):
                return
            assert time.monotonic() < deadline, "dagster-webserver did not come up"
            time.sleep(0.2)


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
