"""How fast a failing candidate is out, confirmed; and whether moving traffic fails a request.

A real node and Envoy over servers that only answer. First, weights move all the time under full
load, retreats among them, and every failed request is counted. Then the reflex path: a candidate
that fails every request is given a tenth of the users, again and again; the time is from the
reflex's verdict to the response that proves zero weight.

    python benchmarks/switch.py [--quick] [--json]
"""

import argparse
import asyncio
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlops_pipeline.delivery.client import NodeClient  # noqa: E402  found by the line above
from mlops_pipeline.delivery.drills.scene import free_port  # noqa: E402
from mlops_pipeline.delivery.drills.scratch_node import scratch_settings  # noqa: E402
from mlops_pipeline.delivery.hosts import HostSpec  # noqa: E402
from mlops_pipeline.delivery.node import Node  # noqa: E402
from mlops_pipeline.errors import NodeUnreachable, StaleGeneration  # noqa: E402
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayRequest  # noqa: E402

MODEL = "m"
WEIGHTS = (0, 500, 2500, 5000, 10_000, 2500)


class Bare(asyncio.Protocol):
    """Answers every request at once: 200, or 500 to predictions where it is to fail."""

    def __init__(self, fails: bool) -> None:
        self._fails = fails
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Whole requests are answered in order."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._rest) < end + 4 + length:
                return
            self._rest = self._rest[end + 4 + length :]
            bad = self._fails and head.startswith(b"post")
            status = b"500 Internal Server Error" if bad else b"200 OK"
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\nok")


def serve_bare(socket: str, fails: bool) -> None:
    """Serve at a unix socket until SIGTERM."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Bare(fails), socket)
        await server.serve_forever()

    asyncio.run(serve())


def run_node(home: str, runtime: str, port: str) -> None:
    """A node whose servers are bare ones."""

    def command(spec: HostSpec, socket: Path) -> list[str]:
        argv = [sys.executable, __file__, "--serve", str(socket)]
        return argv + (["--fails"] if spec.fault else [])

    Node(scratch_settings(Path(home), Path(runtime), int(port)), command=command).run()


class Bench:
    """The node, its client, and a fence that only grows."""

    def __init__(self, home: Path, runtime: Path) -> None:
        self.settings = scratch_settings(home, runtime, free_port())
        home.mkdir()
        said = (str(home), str(runtime), str(self.settings.port))
        with (home / "node.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--node", *said], stdout=log, stderr=log
            )
        self.client = NodeClient(self.settings.node_socket)
        self._rollouts = itertools.count(1)
        self._wait(self._answers)
        for version, fault in (("1", None), ("2", None), ("bad", "fails")):
            self.client.ensure_host(HostSpec(MODEL, version, "/nowhere", fault))
            self._wait(lambda version=version: self._ready(version))
        self.put(None, 0)

    @property
    def url(self) -> str:
        """Where users ask."""
        return f"http://127.0.0.1:{self.settings.port}/{MODEL}/predict"

    def put(self, candidate: str | None, weight: int, rollout: int | None = None) -> str:
        """Routes of a new rollout; its salt."""
        number = rollout or next(self._rollouts)
        self.client.put_routes(
            MODEL,
            stable="1",
            candidate=candidate,
            weight=weight,
            shadow=False,
            salt=f"rollout-{number}",
            rollout=number,
            generation=1,
        )
        return f"rollout-{number}"

    def retreat_ms(self, salt: str) -> float:
        """Milliseconds from the reflex's verdict to the proof, in that rollout."""
        found: list[float] = []

        def there() -> bool:
            retreat = self.client.state().retreat_of(MODEL, "bad", salt)
            if retreat is not None and retreat.milliseconds is not None:
                found.append(retreat.milliseconds)
            return bool(found)

        self._wait(there)
        return found[0]

    def _answers(self) -> bool:
        try:
            self.client.state()
        except NodeUnreachable:
            return False
        return True

    def _ready(self, version: str) -> bool:
        host = self.client.state().host(MODEL, version)
        return host is not None and host.ready

    def _wait(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        give_up = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < give_up, (self.settings.home / "node.log").read_text()[-2000:]
            time.sleep(0.01)


def traffic(url: str, limit: int | None, rate: float | None) -> BackgroundReplay:
    """Users, each once."""
    numbers = range(limit) if limit else itertools.count()
    requests = (ReplayRequest(f"r{n}", f"u{n}", b"{}") for n in numbers)
    return BackgroundReplay(url, requests, rate=rate, concurrency=8)


def moving(bench: Bench, requests: int) -> dict[str, object]:
    """Weights move and are taken back while that many requests are sent."""
    moves = retreats = 0
    began = time.monotonic()
    with traffic(bench.url, requests, None) as users:
        while users.running:
            for weight in WEIGHTS:
                bench.put("2", weight)
                moves += 1
                time.sleep(0.05)
            bench.client.roll_back(MODEL, reason="bench", by="bench")
            retreats += 1
        report = users.stop()
    return {
        "requests": report.sent,
        "failed": report.failed + report.refused,
        "failures": report.failures,
        "weight_changes": moves,
        "retreats": retreats,
        "requests_a_second": round(report.sent / (time.monotonic() - began)),
    }


def reflexes(bench: Bench, rounds: int) -> dict[str, object]:
    """A candidate that fails everything is out, again and again."""
    taken = []
    with traffic(bench.url, None, 400.0) as users:
        for _ in range(rounds):
            try:
                salt = bench.put("bad", 1000)
            except StaleGeneration:  # the reflex was faster than the confirmation of the split
                continue
            taken.append(bench.retreat_ms(salt))
        report = users.stop()
    ordered = sorted(taken)
    return {
        "rounds": len(taken),
        "median_ms": round(statistics.median(ordered), 1),
        "p90_ms": round(ordered[int(0.9 * (len(ordered) - 1))], 1),
        "max_ms": round(ordered[-1], 1),
        "failed_per_round": round((report.failed + report.refused) / max(1, len(taken)), 1),
    }


def main() -> None:
    """Measure, then print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve")
    parser.add_argument("--fails", action="store_true")
    parser.add_argument("--node", nargs=3)
    said = parser.parse_args()
    if said.serve:
        serve_bare(said.serve, said.fails)
        return
    if said.node:
        run_node(*said.node)
        return
    folder = Path(tempfile.mkdtemp(prefix="mb", dir="/tmp"))
    bench = Bench(folder / "home", folder / "run")
    try:
        report = {
            "switch": moving(bench, 20_000 if said.quick else 200_000),
            "reflex": reflexes(bench, 10 if said.quick else 40),
        }
    finally:
        bench.process.terminate()
        bench.process.wait(20)
        bench.client.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
