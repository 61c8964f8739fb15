"""What a version costs, measured where it cannot cheat: a fresh process, from its native files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from mlops_pipeline.contract.promises import Resources
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.probe import EXPECTED_FILE, VALUES_FILE, Probed
from mlops_pipeline.evaluation.records import ResourceUse

PROBE_ROWS = 2000
PROBE_SECONDS = 120
PROBES = 3  # processes, where one does not settle a limit
CLEAR = 0.5  # of a limit: one process below this needs no second
MIB = 1024 * 1024
TIMES = ("load_seconds", "single_row_p50_ms", "single_row_p99_ms", "rows_per_second")


def measure_resources(
    trainer: str,
    files: Mapping[str, bytes],
    *,
    values: np.ndarray,
    expected: np.ndarray,
    bundle_bytes: int,
    limits: Resources | None = None,
) -> ResourceUse:
    """Load time, latency, memory, and the largest distance to the predictions that were evaluated.

    `values` (n, p) are rows that were evaluated and `expected` (n,) the scores they got; the first
    `PROBE_ROWS` are asked again. Times are one process's where they are clear of their limits, else
    the medians of `PROBES`, with their range: neither a busy moment nor a lucky one decides.

    Raises:
        EvaluationError: the files cannot be loaded or asked; the message holds the child's words.
    """
    asked = slice(0, PROBE_ROWS)
    if not len(values):
        raise EvaluationError("no rows to ask the model with; give those that were evaluated")
    with tempfile.TemporaryDirectory(prefix="mlops-probe-") as scratch:
        folder = Path(scratch)
        for name, content in files.items():
            target = folder / "model" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        np.save(folder / VALUES_FILE, np.ascontiguousarray(values[asked], dtype=np.float64))
        np.save(folder / EXPECTED_FILE, np.asarray(expected[asked], dtype=np.float64))
        taken = settled(lambda: _probe(trainer, folder), limits)
    middle = {name: median(getattr(p, name) for p in taken) for name in TIMES}
    return ResourceUse(
        **middle,
        peak_mib=max(p.peak_mib for p in taken),
        bundle_mib=bundle_bytes / MIB,
        largest_difference=max(p.largest_difference for p in taken),
        refuses_bad_input=all(p.refuses_bad_input for p in taken),
        probes=len(taken),
        single_row_p99_range=_range(p.single_row_p99_ms for p in taken),
        load_range=_range(p.load_seconds for p in taken),
    )


def settled(probe: Callable[[], Probed], limits: Resources | None) -> list[Probed]:
    """One probe that is clear of every limit of time, or `PROBES` of them."""
    first = probe()
    clear = limits is None or (
        first.load_seconds <= CLEAR * limits.load_seconds
        and first.single_row_p99_ms <= CLEAR * limits.single_row_p99_ms
    )
    return [first] if clear else [first, *(probe() for _ in range(PROBES - 1))]


def _range(values: Iterable[float]) -> tuple[float, float] | None:
    taken = sorted(values)
    return (taken[0], taken[-1]) if len(taken) > 1 else None


def _probe(trainer: str, folder: Path) -> Probed:
    command = [sys.executable, "-m", "mlops_pipeline.evaluation.probe", trainer, str(folder)]
    pinned = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **pinned},
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EvaluationError(
            f"the {trainer} model did not load and answer within {PROBE_SECONDS} s"
        ) from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise EvaluationError(
            f"the {trainer} model cannot be loaded and asked in a fresh process "
            f"(exit {done.returncode}): {words[-1] if words else 'no message'}"
        )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Probed)
