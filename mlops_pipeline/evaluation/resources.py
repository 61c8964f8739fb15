"""What a version costs, measured where it cannot cheat: a fresh process, from its native files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.probe import EXPECTED_FILE, VALUES_FILE, Probed
from mlops_pipeline.evaluation.records import ResourceUse

PROBE_ROWS = 2000
PROBE_SECONDS = 120
MIB = 1024 * 1024


def measure_resources(
    trainer: str,
    files: Mapping[str, bytes],
    *,
    values: np.ndarray,
    expected: np.ndarray,
    bundle_bytes: int,
) -> ResourceUse:
    """Load time, latency, memory, and the largest distance to the predictions that were evaluated.

    `values` (n, p) are rows that were evaluated and `expected` (n,) the scores they got; the first
    `PROBE_ROWS` are asked again.

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
        probed = _probe(trainer, folder)
    return ResourceUse(
        load_seconds=probed.load_seconds,
        single_row_p50_ms=probed.single_row_p50_ms,
        single_row_p99_ms=probed.single_row_p99_ms,
        rows_per_second=probed.rows_per_second,
        peak_mib=probed.peak_mib,
        bundle_mib=bundle_bytes / MIB,
        largest_difference=probed.largest_difference,
        refuses_bad_input=probed.refuses_bad_input,
    )


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
