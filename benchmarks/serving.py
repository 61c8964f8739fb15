"""How fast one server answers single rows, against the same transport that only echoes.

    python benchmarks/serving.py [--quick] [--json]

Both run under the same uvicorn, one worker each, and are asked in turns (A B A B …) by the same
client over 16 connections; the model has 500 trees of 63 leaves; validation, request log and
metrics are on. On a machine of two cores the client competes with the server, so two numbers are
given: requests a second as seen by the client, and requests a second of server CPU time
(`per_core`), which is what one worker could do with a core and a client of its own. Ratios are of
`per_core`.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvicorn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlops_pipeline.contract.model import ModelContract  # noqa: E402  found by the line above
from mlops_pipeline.features.declared import cardinalities  # noqa: E402
from mlops_pipeline.features.matrix import FeatureMatrix  # noqa: E402
from mlops_pipeline.features.online import publish  # noqa: E402
from mlops_pipeline.serving.replay import ReplayReport, ReplayRequest, replay  # noqa: E402
from mlops_pipeline.training.lightgbm import LightgbmTrainer  # noqa: E402
from mlops_pipeline.training.rows import LabelledRows  # noqa: E402
from mlops_pipeline_tests.serving import world  # noqa: E402

CONNECTIONS = 16
BODIES = [world.body(distance=float(100 + n), carrier="UA") for n in range(512)]


@dataclass(slots=True)
class Lane:
    """One server, and what each round gave."""

    name: str
    process: "subprocess.Popen[bytes]"
    uds: Path
    ready_seconds: float
    rounds: list[tuple[ReplayReport, float]]  # with the server's CPU seconds

    def run(self, count: int) -> None:
        before = self._cpu()
        report = replay(
            "http://version/predict", _requests(count), concurrency=CONNECTIONS, uds=str(self.uds)
        )
        self.rounds.append((report, self._cpu() - before))

    def _cpu(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def summary(self) -> dict[str, Any]:
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
            "rss_mib": round(psutil.Process(self.process.pid).memory_info().rss / 2**20, 1),
            "ready_seconds": round(self.ready_seconds, 2),
        }


def main() -> None:
    """Runs both, prints a table, and with --json one object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--echo", type=Path, help=argparse.SUPPRESS)  # the echo's own process
    args = parser.parse_args()
    if args.echo:
        _serve_echo(args.echo)
        return
    rounds, count = (3, 6_000) if args.quick else (7, 30_000)
    with tempfile.TemporaryDirectory(prefix="mlops-bench-") as name:
        results = _measure(Path(name), rounds, count)
    own, echo = results["own"], results["echo"]
    for lane, numbers in results.items():
        print(f"{lane:5} {numbers}")
    if args.json:
        told = {
            "rps": own["rps"],
            "rps_per_core": own["per_core"],
            "rps_vs_echo": round(own["per_core"] / echo["per_core"], 3),
            "p99_ms": own["p99_ms"],
            "rss_mib": own["rss_mib"],
            "ready_seconds": own["ready_seconds"],
            "failed": own["failed"],
            "own": own,
            "echo": echo,
        }
        print(json.dumps(told))


def _measure(folder: Path, rounds: int, count: int) -> dict[str, dict[str, Any]]:
    contract = world.flights()
    world.make_bundle(folder / "bundle", contract, files=_model(contract))
    publish(folder / "features", world.snapshot(contract))
    own = ["-m", "mlops_pipeline.serving", "--model", contract.name, "--version", "1"]
    for place in ("bundle", "features", "log"):
        own += [f"--{place}", str(folder / place)]
    lanes = [
        _start("own", [*own, "--uds", str(folder / "own.sock")], folder / "own.sock"),
        _start("echo", [__file__, "--echo", str(folder / "echo.sock")], folder / "echo.sock"),
    ]
    try:
        for lane in lanes:
            lane.run(500)
            lane.rounds.clear()
        for _ in range(rounds):
            for lane in lanes:
                lane.run(count)
        return {lane.name: lane.summary() for lane in lanes}
    finally:
        for lane in lanes:
            lane.process.terminate()
            lane.process.wait(20)


def _start(name: str, command: list[str], uds: Path) -> Lane:
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stderr=subprocess.DEVNULL)
    while True:
        probe = replay("http://version/predict", _requests(1), concurrency=1, uds=str(uds))
        if probe.answered:
            return Lane(name, process, uds, time.monotonic() - started, [])
        if process.poll() is not None or time.monotonic() - started > 60:
            raise SystemExit(f"{name} did not come up: {' '.join(command)}")


def _requests(count: int) -> Iterator[ReplayRequest]:
    return (ReplayRequest(f"r{n}", f"u{n}", BODIES[n % len(BODIES)]) for n in range(count))


def _model(contract: ModelContract) -> dict[str, bytes]:
    """500 trees fitted on noise with a little signal: their shape matters here, not their skill."""
    chance = np.random.default_rng(1)
    sizes = cardinalities(contract)
    values = chance.normal(100, 50, size=(20_000, len(sizes)))
    for index, size in enumerate(sizes):
        if size:
            values[:, index] = chance.integers(0, size, len(values))
    odds = (values[:, 3] - 100) / 50 + np.sin(values[:, 2])
    labels = (chance.random(len(values)) < 1 / (1 + np.exp(-odds))).astype(float)
    names = tuple(feature.name for feature in contract.features.columns)
    rows = LabelledRows(FeatureMatrix(names, values, sizes), labels, np.arange(len(values)))
    params = {"num_boost_round": 500, "num_leaves": 63}
    return LightgbmTrainer().fit(rows, rows, params=params, seed=1).files()


def _serve_echo(uds: Path) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(
        echo,
        uds=str(uds),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
