"""Real server processes, and their ends."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from mlops_pipeline.features.online import publish
from mlops_pipeline_tests.serving import world
from mlops_pipeline_tests.serving.waiting import wait_for


@dataclass(slots=True)
class Server:
    """One `python -m mlops_pipeline.serving` and what it wrote to stderr."""

    process: "subprocess.Popen[bytes]"
    uds: Path | None  # None: it listens at a port, see `address`
    stderr: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        transport = None if self.uds is None else httpx.HTTPTransport(uds=str(self.uds))
        self.client = httpx.Client(transport=transport)

    @property
    def socket(self) -> Path:
        assert self.uds is not None
        return self.uds

    @property
    def address(self) -> str:
        """Host and port as the server said them."""
        found = re.search(r"at=(127\.0\.0\.1:\d+)", self.said)
        assert found is not None
        return found[1]

    @property
    def said(self) -> str:
        return self.stderr.read_text()

    def ready(self) -> bool:
        assert self.process.poll() is None, self.said
        if "server=listening" not in self.said:
            return False
        if self.uds is None:
            return self.client.get(f"http://{self.address}/healthz").status_code == 200
        self.client.base_url = httpx.URL("http://version")
        return self.client.get("/healthz").status_code == 200

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


def prepare(folder: Path) -> None:
    """A bundle and a feature snapshot for servers to load."""
    world.make_bundle(folder / "bundle")
    publish(folder / "features", world.snapshot(world.flights()))


def command(
    folder: Path, *more: str, python: tuple[str, ...] = (), port: int | None = None
) -> list[str]:
    """The command line of a server of what `prepare` made, at a socket or a loopback port."""
    return [
        sys.executable,
        *python,
        "-m",
        "mlops_pipeline.serving",
        *("--bundle", str(folder / "bundle"), "--model", "flight_delay", "--version", "7"),
        *("--features", str(folder / "features"), "--log", str(folder / "log")),
        *(("--uds", str(folder / "s.sock")) if port is None else ("--port", str(port))),
        *("--grace", "0.2"),
        *(() if "--trust" in more else ("--unsigned",)),
        *more,
    ]


@contextmanager
def serving(
    folder: Path, *more: str, python: tuple[str, ...] = (), port: int | None = None
) -> Iterator[Server]:
    """A ready server of the small version."""
    prepare(folder)
    with run(folder, *more, python=python, port=port) as server:
        yield server


@contextmanager
def run(
    folder: Path, *more: str, python: tuple[str, ...] = (), port: int | None = None
) -> Iterator[Server]:
    """A ready server of what stands in the folder; it is asked to end, then made to."""
    stderr = folder / "stderr.txt"
    with stderr.open("wb") as sink:
        line = command(folder, *more, python=python, port=port)
        process = subprocess.Popen(line, stderr=sink)
    server = Server(process, None if port is not None else folder / "s.sock", stderr)
    try:
        wait_for(server.ready, 30)
        yield server
    finally:
        server.client.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
