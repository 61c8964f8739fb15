"""The lanes of benchmarks/serving.py: servers that are asked in turns by one client."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _serving_peers as peers
from mlops_pipeline.serving.replay import ReplayReport, ReplayRequest, replay

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16
START_SECONDS = 90.0


@dataclass(slots=True)
class Lane:
    """One server, and what each round gave."""

    name: str
    process: "subprocess.Popen[bytes]"
    url: str
    bodies: Sequence[bytes]
    ready_seconds: float
    rounds: list[tuple[ReplayReport, float]] = field(default_factory=list)  # with CPU seconds

    def run(self, seconds: float) -> None:
        """One round, counted."""
        before = self._cpu()
        report = self.ask(seconds)
        self.rounds.append((report, self._cpu() - before))

    def ask(self, seconds: float, count: int | None = None) -> ReplayReport:
        """Requests for so long, or so many."""
        stop = threading.Event()
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        try:
            asked = _requests(self.bodies, count)
            return replay(self.url, asked, concurrency=CONNECTIONS, stop=stop, timeout=20)
        finally:
            timer.cancel()

    def family(self) -> list[psutil.Process]:
        """Every process of the server."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def _cpu(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self.family())

    def rss_mib(self) -> float:
        """Resident memory of its largest process."""
        return max(each.memory_info().rss for each in self.family()) / 2**20

    def summary(self) -> dict[str, Any]:
        """Medians and ranges over the rounds."""
        rates = [report.rate for report, _ in self.rounds]
        cores = [report.answered / cpu for report, cpu in self.rounds]
        return {
            "rps": round(statistics.median(rates)),
            "rps_range": [round(min(rates)), round(max(rates))],
            "per_core": round(statistics.median(cores)),
            "per_core_range": [round(min(cores)), round(max(cores))],
            "p50_ms": round(statistics.median(r.p50_ms for r, _ in self.rounds), 3),
            "p99_ms": round(statistics.median(r.p99_ms for r, _ in self.rounds), 3),
            "failed": sum(r.failed + r.refused for r, _ in self.rounds),
            "rss_mib": round(self.rss_mib(), 1),
            "ready_seconds": round(self.ready_seconds, 2),
        }


def start(name: str, command: Sequence[str], port: int, path: str, bodies: Sequence[bytes]) -> Lane:
    """The server answers.

    Raises:
        SystemExit: it does not come up.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=peers.environment(),
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}{path}"
    while True:
        probe = replay(url, _requests(bodies, 1), concurrency=1, timeout=20)
        if probe.answered:
            return Lane(name, process, url, bodies, time.monotonic() - started)
        if process.poll() is not None or time.monotonic() - started > START_SECONDS:
            process.kill()
            raise SystemExit(f"{name} did not come up ({probe.failures}, {probe.refusals})")


def end(lane: Lane) -> None:
    """Nothing of it runs."""
    family = lane.family()
    lane.process.terminate()
    try:
        lane.process.wait(20)
    except subprocess.TimeoutExpired:
        lane.process.kill()
    for process in family:
        if process.is_running():
            process.kill()


def pin(lanes: Sequence[Lane]) -> None:
    """Servers on one core, the client on another."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    os.sched_setaffinity(0, {cores[1]})
    for lane in lanes:
        for process in lane.family():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {cores[0]})


def _requests(bodies: Sequence[bytes], count: int | None) -> Iterator[ReplayRequest]:
    number = 0
    while count is None or number < count:
        yield ReplayRequest(f"r{number}", f"u{number}", bodies[number % len(bodies)])
        number += 1
