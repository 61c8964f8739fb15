"""The child of `resources`: loads a model's native files, asks it, says what that cost.

    python -m mlops_pipeline.evaluation.probe TRAINER FOLDER

The folder holds `model/`, the rows to ask and the scores they should get; the answer is one JSON
line on standard output.
"""

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

VALUES_FILE = "values.npy"
EXPECTED_FILE = "expected.npy"
WARM_UP = 20
QUESTIONS = 500


@dataclass(frozen=True, slots=True)
class Probed:
    """What the child measured."""

    load_seconds: float
    single_row_p50_ms: float
    single_row_p99_ms: float
    rows_per_second: float
    peak_mib: float
    largest_difference: float
    refuses_bad_input: bool


def probe(trainer: str, folder: Path) -> Probed:
    """The measurements, taken in this process."""
    values = np.load(folder / VALUES_FILE, allow_pickle=False)
    expected = np.load(folder / EXPECTED_FILE, allow_pickle=False)
    started = time.process_time()  # of one thread: what the wall clock says on an idle machine
    from mlops_pipeline.errors import TrainingError
    from mlops_pipeline.training.table import load

    root = folder / "model"
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    model = load(trainer, files)
    model.predict(values[:1])
    loaded = time.process_time() - started
    latencies = np.empty(QUESTIONS)
    for place in range(-WARM_UP, QUESTIONS):
        row = values[place % len(values)][None, :]
        asked = time.perf_counter()
        model.predict(row)
        latencies[max(place, 0)] = time.perf_counter() - asked
    asked = time.perf_counter()
    scores = model.predict(values)
    batch = time.perf_counter() - asked
    try:
        model.predict(values[:1, :-1])
        refused = False
    except TrainingError:
        refused = True
    difference = np.abs(scores - expected)
    return Probed(
        load_seconds=loaded,
        single_row_p50_ms=float(np.quantile(latencies, 0.5) * 1000),
        single_row_p99_ms=float(np.quantile(latencies, 0.99) * 1000),
        rows_per_second=len(values) / batch,
        peak_mib=_peak_mib(),
        largest_difference=float(np.nan_to_num(difference, nan=np.inf).max()),
        refuses_bad_input=refused,
    )


def _peak_mib() -> float:
    """Largest resident memory of this program; `ru_maxrss` would count its parent's as well."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    found = probe(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
