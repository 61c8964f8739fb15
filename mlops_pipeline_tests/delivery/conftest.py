"""Real processes for the delivery tests: nodes over stub servers, and bounded load."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.hosts import HostSpec
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.errors import NodeUnreachable
from mlops_pipeline.settings import Settings
from mlops_pipeline_tests.delivery.node_process import stub_settings


def until(what: str, holds: Callable[[], bool], timeout: float = 20.0) -> None:
    """Return as soon as `holds()`; fail, naming `what`, when it does not within `timeout`."""
    give_up = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"within {timeout} s it did not happen that {what}")
        time.sleep(0.01)


@dataclass
class NodeProcess:
    """A node in its own process, over stub servers unless `real`."""

    settings: Settings
    real: bool = False
    process: subprocess.Popen[bytes] | None = None
    client: NodeClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = NodeClient(self.settings.node_socket)

    def start(self) -> None:
        """A node runs and answers."""
        said = [self.settings.home, self.settings.runtime_dir, self.settings.port]
        said += ["real"] if self.real else []
        argv = [sys.executable, "-m", "mlops_pipeline_tests.delivery.node_process"]
        self.settings.home.mkdir(exist_ok=True)
        with (self.settings.home / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, *map(str, said)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until("the node answers", self.answers)

    def answers(self) -> bool:
        """Whether its control socket answers."""
        try:
            self.client.state()
        except NodeUnreachable:
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            return False
        return True

    def log(self) -> str:
        """What the node printed."""
        return (self.settings.home / "node.log").read_text()

    def state(self) -> NodeView:
        """The node's view."""
        return self.client.state()

    def serve(
        self, model: str, version: str, fault: str | None = None, *, bundle: str = "/nowhere"
    ) -> None:
        """The version's server is ready."""
        self.client.ensure_host(HostSpec(model, version, bundle, fault))

        def ready() -> bool:
            host = self.state().host(model, version)
            return host is not None and host.ready

        until(f"{model} version {version} is ready", ready)

    def kill(self) -> None:
        """The node was killed; its children were not asked."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """The node ended and took its children with it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.client.close()

    @property
    def url(self) -> str:
        """Where users ask."""
        return f"http://127.0.0.1:{self.settings.port}"


@dataclass
class Load:
    """Users of one model: each asks once, one after the other, in a few threads."""

    url: str
    threads: int = 4
    failures: list[str] = field(default_factory=list)
    served: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _workers: list[threading.Thread] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Requests that were answered or failed."""
        return sum(self.served.values()) + len(self.failures)

    def __enter__(self) -> "Load":
        self._workers = [
            threading.Thread(target=self._run, args=(number,)) for number in range(self.threads)
        ]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.join(10)

    def until_sent(self, more: int) -> None:
        """That many further requests were sent."""
        goal = self.sent + more
        until(f"{more} requests more were sent", lambda: self.sent >= goal, 60)

    def _run(self, number: int) -> None:
        with httpx.Client(timeout=5) as ask:
            count = 0
            while not self._stop.is_set():
                count += 1
                self._one(ask, f"user-{number}-{count}")

    def _one(self, ask: httpx.Client, unit: str) -> None:
        try:
            answer = ask.post(self.url, headers={"x-unit": unit}, content=b"{}")
            wrong = f"{answer.status_code} {answer.headers.get('x-served-by')} {answer.text}"
            good = answer.status_code == 200
            name = answer.headers.get("x-served-by", "")
        except httpx.HTTPError as error:
            good, wrong, name = False, repr(error), ""
        with self._lock:
            if good:
                self.served[name] = self.served.get(name, 0) + 1
            else:
                self.failures.append(wrong)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mn", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(tmp_path: Path, runtime_dir: Path) -> Settings:
    """Settings of a scratch installation."""
    return stub_settings(tmp_path / "home", runtime_dir, free_port())


@pytest.fixture
def node(settings: Settings) -> Iterator[NodeProcess]:
    """A node that runs; it and its children end with the test."""
    running = NodeProcess(settings)
    running.start()
    yield running
    if running.process is not None and running.process.poll() is not None:
        running.start()  # it was killed: adopt its children, so that they end with it
    running.stop()
