"""How fast one server answers single rows, beside its peers and the same transport as an echo.

    python benchmarks/serving.py [--quick] [--json] [--no-peers] [--peers FOLDER] [--soak REQUESTS]

All lanes serve the same 500 trees of 63 leaves, one worker each, over loopback TCP, and are asked
in turns (A B C D A B …) by the same client over 16 connections, for as long each. Ours has full
validation, request log and metrics on, and runs twice: `own` with LightGBM's own call, `compiled`
with the trees as registration compiles them, where there is a C compiler. Where there are two
cores, servers are pinned to one and the client to the other. `rps` is what the client sees;
`per_core` is answers by second of the server's CPU time (every process and thread of it), for lanes
that the client cannot saturate: the echo. Ratios to peers are of `rps`, the ratio to the echo of
`per_core`; all are medians over rounds.

    batch     the batch scorer, from table to table, against LightGBM's own predict on the ready
              matrix, one thread each, in turns; a million rows, with --quick 50,000
    --soak    that many requests to one server: growth of its memory after the first tenth
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _serving_peers as peers  # noqa: E402  found by the line above
from benchmarks._serving_lanes import Lane, end, pin, start  # noqa: E402
from mlops_pipeline.contract.model import ModelContract  # noqa: E402
from mlops_pipeline.features.declared import cardinalities, feature_names  # noqa: E402
from mlops_pipeline.features.matrix import FeatureMatrix  # noqa: E402
from mlops_pipeline.features.online import publish  # noqa: E402
from mlops_pipeline.features.row import RowFeatures  # noqa: E402
from mlops_pipeline.features.served import features_as_served  # noqa: E402
from mlops_pipeline.registry.bundle import Bundle, open_bundle  # noqa: E402
from mlops_pipeline.registry.compiled import COMPILER, with_compiled_trees  # noqa: E402
from mlops_pipeline.serving.batch import BatchScorer, frame_of  # noqa: E402
from mlops_pipeline.serving.scorers import load_scorer  # noqa: E402
from mlops_pipeline.training.lightgbm import LightgbmTrainer  # noqa: E402
from mlops_pipeline.training.rows import LabelledRows  # noqa: E402
from mlops_pipeline_tests.serving import world  # noqa: E402

PORT = 21_010
ROWS = [{**world.ROW, "distance": float(100 + n), "carrier": "UA"} for n in range(512)]
BODIES = [json.dumps(row).encode() for row in ROWS]


def main() -> None:
    """Runs all lanes, prints a table, and with --json one object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, once peers are there")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--no-peers", action="store_true", help="only ours and the echo")
    parser.add_argument("--peers", type=Path, default=ROOT / ".mlops" / "peers")
    parser.add_argument("--soak", type=int, help="so many requests to ours, and nothing else")
    args = parser.parse_args()
    rounds, seconds, rows = (3, 1.5, 50_000) if args.quick else (5, 5.0, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="mlops-bench-") as name:
        bench = Bench(Path(name))
        if args.soak:
            told = bench.soak(args.soak)
            print(json.dumps(told))
            return
        lanes = bench.measure(rounds, seconds, None if args.no_peers else args.peers)
        for lane, numbers in lanes.items():
            print(f"{lane:9} {numbers}", flush=True)
        batch = bench.batch(rows, 3 if args.quick else 2)
    print(f"batch     {batch}")
    if args.json:
        print(json.dumps(_told(lanes, batch)))


def _told(lanes: dict[str, dict[str, Any]], batch: dict[str, float]) -> dict[str, Any]:
    """The ratios of LightGBM's own call; those of compiled trees beside them."""
    told = {**_ratios(lanes, "own"), "batch_vs_native": batch["batch_vs_native"]}
    if "compiled" in lanes:
        own_batch = {"batch_vs_native": batch["compiled_vs_native"]}
        told["compiled"] = {**_ratios(lanes, "compiled"), **own_batch}
    return {**told, "lanes": lanes, "batch": batch}


def _ratios(lanes: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    own = lanes[name]

    def ratio(peer: str, key: str) -> float | None:
        return round(own[key] / lanes[peer][key], 4) if peer in lanes else None

    return {
        "rps_vs_mlflow": ratio("mlflow", "rps"),
        "rps_vs_mlserver": ratio("mlserver", "rps"),
        "rps_vs_echo": ratio("echo", "per_core"),
        "p99_vs_mlflow": ratio("mlflow", "p99_ms"),
        "rss_mib": own["rss_mib"],
        "ready_seconds": own["ready_seconds"],
    }


class Bench:
    """The same model in the form that each lane loads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contract = world.flights()
        self._files = _model(self._contract)
        self._bundle = world.make_bundle(folder / "bundle", self._contract, files=self._files)
        self._compiled = _compiled(folder / "compiled", self._contract, self._files)
        self._snapshot = world.snapshot(self._contract)
        publish(folder / "features", self._snapshot)
        (folder / "model.txt").write_bytes(self._files["model.txt"])

    def measure(self, rounds: int, seconds: float, envs: Path | None) -> dict[str, dict[str, Any]]:
        """Every lane in turns."""
        lanes: list[Lane] = []
        try:
            lanes += [self._own(), self._echo()]
            if self._compiled is not None:
                lanes.append(self._own("compiled", PORT + 10))
            if envs is not None:
                lanes += [self._mlflow(envs), self._mlserver(envs)]
            pin(lanes)
            for lane in lanes:
                lane.ask(1.0)
            for _ in range(rounds):
                for lane in lanes:
                    lane.run(seconds)
            return {lane.name: lane.summary() for lane in lanes}
        finally:
            for lane in lanes:
                end(lane)

    def soak(self, count: int) -> dict[str, Any]:
        """Growth of the server's memory from the first tenth of the requests to the last."""
        lane = self._own()
        try:
            lane.ask(600, count // 10)
            first = lane.rss_mib()
            report = lane.ask(600, count - count // 10)
            last = lane.rss_mib()
        finally:
            end(lane)
        return {
            "requests": count,
            "rss_mib_after_a_tenth": round(first, 2),
            "rss_mib_at_the_end": round(last, 2),
            "growth_mib": round(last - first, 2),
            "failed": report.failed + report.refused,
            "rps": round(report.rate),
        }

    def batch(self, rows: int, rounds: int) -> dict[str, float]:
        """Seconds of our batch scorer and of LightGBM's own predict, in turns."""
        import lightgbm

        bundles = {"own": self._bundle, "compiled": self._compiled}
        scorers = {
            name: BatchScorer(bundle, "1", load_scorer(bundle), self._snapshot)
            for name, bundle in bundles.items()
            if bundle is not None
        }
        booster = lightgbm.Booster(model_str=self._files["model.txt"].decode())
        table = _table(self._contract, rows)
        matrix = features_as_served(self._contract, frame_of(self._contract, table), self._snapshot)
        seconds: dict[str, list[float]] = {}
        for _ in range(rounds):
            started = time.perf_counter()
            expected = booster.predict(matrix.values, num_threads=1)
            seconds.setdefault("native", []).append(time.perf_counter() - started)
            for name, scorer in scorers.items():
                started = time.perf_counter()
                told = scorer.score(table)
                seconds.setdefault(name, []).append(time.perf_counter() - started)
                same = told["probability"].to_numpy() == expected
                assert same.all(), f"{name} gives other numbers than LightGBM"
        median = {name: statistics.median(values) for name, values in seconds.items()}
        found = {"rows": rows, **{f"{name}_seconds": round(s, 3) for name, s in median.items()}}
        found["batch_vs_native"] = round(median["native"] / median["own"], 3)
        if "compiled" in median:
            found["compiled_vs_native"] = round(median["native"] / median["compiled"], 3)
        return found

    def _own(self, name: str = "own", port: int = PORT) -> Lane:
        command = ["-m", "mlops_pipeline.serving", "--model", self._contract.name, "--version", "1"]
        bundle = self._folder / ("bundle" if name == "own" else name)
        command += ["--bundle", str(bundle), "--features", str(self._folder / "features")]
        command += ["--log", str(self._folder / f"log-{name}"), "--unsigned", "--port", str(port)]
        return start(name, [sys.executable, *command], port, "/predict", BODIES)

    def _echo(self) -> Lane:
        command = [sys.executable, str(Path(__file__).with_name("_serving_echo.py")), str(PORT + 1)]
        return start("echo", command, PORT + 1, "/predict", BODIES)

    def _mlflow(self, envs: Path) -> Lane:
        python = peers.python_of(envs, "mlflow")
        command = peers.mlflow_server(python, self._folder, self._folder / "model.txt", PORT + 2)
        names = feature_names(self._contract)
        bodies = [peers.mlflow_body(names, vector) for vector in self._vectors()]
        return start("mlflow", command, PORT + 2, "/invocations", bodies)

    def _mlserver(self, envs: Path) -> Lane:
        python = peers.python_of(envs, "mlserver")
        command = peers.mlserver_server(python, self._folder, self._folder / "model.txt", PORT + 3)
        names = feature_names(self._contract)
        bodies = [peers.mlserver_body(names, vector) for vector in self._vectors()]
        return start("mlserver", command, PORT + 3, "/v2/models/trees/infer", bodies)

    def _vectors(self) -> Iterator[Sequence[float]]:
        features = RowFeatures(self._contract)
        return (features.vector(row, self._snapshot) for row in ROWS)


def _table(contract: ModelContract, rows: int) -> pa.Table:
    """Rows of every carrier and destination, hour and distance."""
    chance = np.random.default_rng(2)
    columns: dict[str, Any] = {}
    for column in contract.request_columns:
        if column.categories:
            columns[column.name] = chance.choice(np.array(column.categories), rows)
        elif column.name == contract.event_time:
            minutes = chance.integers(0, 30 * 24 * 60, rows)
            columns[column.name] = np.datetime64("2013-04-01", "us") + minutes * np.timedelta64(
                1, "m"
            )
        else:
            low, high = column.minimum or 0.0, column.maximum or 1.0
            values = chance.uniform(low, high, rows)
            columns[column.name] = np.floor(values) if column.type == "integer" else values
    return pa.table(columns)


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
    names = feature_names(contract)
    rows = LabelledRows(FeatureMatrix(names, values, sizes), labels, np.arange(len(values)))
    params = {"num_boost_round": 500, "num_leaves": 63}
    return LightgbmTrainer().fit(rows, rows, params=params, seed=1).files()


def _compiled(folder: Path, contract: ModelContract, files: dict[str, bytes]) -> Bundle | None:
    """The same version, registered with compiled trees; None without a C compiler."""
    if shutil.which(COMPILER) is None:
        return None
    asking = world.changed(contract, {"candidates.0.compiled": True})
    for name, content in with_compiled_trees(world.bundle_files(asking, files=files)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return open_bundle(folder)


if __name__ == "__main__":
    main()
