"""History features at scale: this package, DuckDB and Polars by hand, straightforward pandas.

    python benchmarks/features.py [--quick] [--json] [--rows 336776 3367760 10103280] [--rounds 3]

The year of flights is repeated, 364 days later each time, as monthly Parquet parts on disk. Each
engine reads them and makes the four history features of the shipped contract for every row: the
smoothed late rate of carrier, destination, origin and hour (28 days) and carrier and origin (7
days), over days whose labels are known. Engines take turns, each run in a process of its own with
two threads (pandas has one); the sums of all features must agree. Nothing is cached between runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _feature_engines import AT, THREADS, duck, plain, polar

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.parts import encode_part
from mlops_pipeline.data.sources import read_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.partitions import history_of_parts
from mlops_pipeline.settings import PACKAGE_MODELS

YEAR_ROWS = 336_776


def contract() -> ModelContract:
    """The shipped one."""
    return load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")


def write_parts(folder: Path, rows: int) -> None:
    """Monthly parts with about so many rows, as the pipeline stores them; not twice."""
    if any(folder.glob("*.parquet")):
        return
    of = contract()
    year = read_source(of, Window.of_months("2013-01", "2013-12"))
    month = year[AT].dt.month
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(round(rows / YEAR_ROWS)):
        for key in range(1, 13):
            part = year[month == key]
            part = part.assign(**{AT: part[AT] + pd.Timedelta(364 * number, "D")})
            (folder / f"{number:03}-{key:02}.parquet").write_bytes(encode_part(of, part))


def ours(files: list[Path]) -> tuple[int, float]:
    """The package's own code, as its assets call it, but that these verify each part's digest."""
    rows, total = 0, 0.0
    for found in history_of_parts(contract(), [partial(Path.read_bytes, f) for f in files]):
        rows += len(next(iter(found.values())))
        total += sum(float(np.nansum(values)) for values in found.values())
    return rows, total


ENGINES: dict[str, Callable[[list[Path]], tuple[int, float]]] = {
    "ours": ours,
    "duckdb": duck,
    "polars": polar,
    "pandas": plain,
}


def run_alone(engine: str, folder: Path) -> dict[str, float]:
    """One run in a process of its own: seconds without imports, and its peak."""
    words = [sys.executable, __file__, "--engine", engine, "--folder", str(folder)]
    threads = {"OMP_WAIT_POLICY": "passive"}
    threads |= {name: str(THREADS) for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")}
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, env={**os.environ, **threads}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_engine(engine: str, folder: Path) -> None:
    """The child's side of `run_alone`."""
    files = sorted(folder.glob("*.parquet"))
    if engine in ("duckdb", "polars"):
        __import__(engine)  # which is not what is measured
    began, cpu = time.perf_counter(), time.process_time()
    rows, total = ENGINES[engine](files)
    seconds, busy = time.perf_counter() - began, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # ru_maxrss would also count the parent's
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**20
    found = {"rows": rows, "sum": total, "seconds": seconds, "cpu_seconds": busy, "peak_gib": peak}
    print(json.dumps(found))


def measure(rows: int, rounds: int, kept: Path | None) -> dict[str, dict[str, float]]:
    """Medians of each engine, in turns; parts are kept in `kept` for another run, or nowhere."""
    runs: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if kept is None else kept / str(rows)
        write_parts(folder, rows)
        for _ in range(rounds):
            for engine in ENGINES:
                runs.setdefault(engine, []).append(run_alone(engine, folder))
    sums = [run["sum"] for of in runs.values() for run in of]
    assert np.allclose(sums, sums[0], rtol=1e-9), f"the engines disagree: {runs}"
    return {
        engine: {word: statistics.median(run[word] for run in of) for word in of[0]}
        for engine, of in runs.items()
    }


def main() -> None:
    """Measure each size; print a table and, with --json, the largest as one object."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--quick", action="store_true", help="one year, one round")
    words.add_argument("--json", action="store_true")
    words.add_argument("--rows", type=int, nargs="+", default=[336_776, 3_367_760, 10_103_280])
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--engine", choices=list(ENGINES), help=argparse.SUPPRESS)
    words.add_argument("--folder", type=Path, help="keep the parts here, and use them again")
    words.add_argument("--write", action="store_true", help="only write the parts")
    chosen = words.parse_args()
    if chosen.engine:
        one_engine(chosen.engine, chosen.folder)
        return
    if chosen.write:
        for rows in chosen.rows:
            write_parts(chosen.folder / str(rows), rows)
        return
    sizes = [336_776] if chosen.quick else chosen.rows
    costs: list[float] = []
    print("| rows | engine | seconds | CPU seconds | peak GiB |\n|---|---|---|---|---|")
    found: dict[str, dict[str, float]] = {}
    for rows in sizes:
        found = measure(rows, 1 if chosen.quick else chosen.rounds, chosen.folder)
        costs.append(found["ours"]["cpu_seconds"] / found["ours"]["rows"] * 1e6)
        for engine, of in found.items():
            print(
                f"| {of['rows']:,.0f} | {engine} | {of['seconds']:.2f} | "
                f"{of['cpu_seconds']:.2f} | {of['peak_gib']:.2f} |",
                flush=True,
            )
    mine = found["ours"]
    result = {
        "rows": int(mine["rows"]),
        "seconds": round(mine["seconds"], 2),
        "peak_gib": round(mine["peak_gib"], 3),
        "speedup_vs_pandas": round(found["pandas"]["seconds"] / mine["seconds"], 2),
        "cpu_speedup_vs_pandas": round(found["pandas"]["cpu_seconds"] / mine["cpu_seconds"], 2),
        "times_duckdb": round(mine["seconds"] / found["duckdb"]["seconds"], 3),
        "cpu_times_duckdb": round(mine["cpu_seconds"] / found["duckdb"]["cpu_seconds"], 3),
        "times_polars": round(mine["seconds"] / found["polars"]["seconds"], 3),
        "cpu_times_polars": round(mine["cpu_seconds"] / found["polars"]["cpu_seconds"], 3),
        "cpu_microseconds_a_row": [round(cost, 3) for cost in costs],  # at each size
    }
    print(result)
    if chosen.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
