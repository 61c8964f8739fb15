"""Sampled rows as a server computes them, held bit for bit against what a model was trained on."""

from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days
from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import RequestError
from mlops_pipeline.features.history import EPOCH, HistoryCounts, feature_snapshot
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.features.row import RowFeatures

DAYS = 5
ROWS_A_DAY = 40


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One row that is served otherwise than it was trained on."""

    row: int
    feature: str
    offline: str
    served: str


@dataclass(frozen=True, slots=True)
class Parity:
    """What was compared, and what differs."""

    rows: int
    days: tuple[date, ...]
    mismatches: tuple[Mismatch, ...]


def parity(
    contract: ModelContract,
    frame: pd.DataFrame,
    matrix: FeatureMatrix,
    history: HistoryCounts,
    *,
    seed: int,
) -> Parity:
    """Rows of some days, the last among them, as a server would see them against the matrix.

    The look-ups go through the bytes in which they are published.
    """
    chance = np.random.default_rng(seed)
    day = days(contract, frame)
    known = np.unique(day)
    picked = chance.choice(known[:-1], min(DAYS - 1, len(known) - 1), replace=False)
    serve = RowFeatures(contract)
    compared, mismatches = 0, []
    chosen = sorted({int(number) for number in (*picked, *known[-1:])})
    for number in chosen:
        snapshot = _published(contract, history, EPOCH + timedelta(days=number))
        at = np.flatnonzero(day == number)
        for row in sorted(chance.choice(at, min(ROWS_A_DAY, len(at)), replace=False)):
            compared += 1
            mismatches += _compared(serve, frame, matrix, int(row), snapshot)
    dates = tuple(EPOCH + timedelta(days=number) for number in chosen)
    return Parity(compared, dates, tuple(mismatches))


def _published(contract: ModelContract, history: HistoryCounts, day: date) -> FeatureSnapshot:
    content = canonical_json(msgspec.to_builtins(feature_snapshot(contract, history, day)))
    return msgspec.json.decode(content, type=FeatureSnapshot)


def _compared(
    serve: RowFeatures,
    frame: pd.DataFrame,
    matrix: FeatureMatrix,
    row: int,
    snapshot: FeatureSnapshot,
) -> list[Mismatch]:
    request = {str(name): _plain(value) for name, value in frame.iloc[row].items()}
    try:
        served = np.frombuffer(serve.vector(request, snapshot))
    except RequestError as error:
        return [Mismatch(row, "the whole row", "computed", f"refused: {error}")]
    offline = matrix.values[row]
    if served.tobytes() == offline.tobytes():
        return []
    differ = np.flatnonzero(served.view(np.uint64) != offline.view(np.uint64))
    return [
        Mismatch(row, matrix.names[i], repr(float(offline[i])), repr(float(served[i])))
        for i in differ
    ]


def _plain(value: object) -> object:
    if value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime().isoformat()
    return value.item() if isinstance(value, np.generic) else value
