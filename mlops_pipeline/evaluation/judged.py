"""What each task shows of its answers besides metrics, and how a control spoils them.

A new task is one entry of `_TASKS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.estimates import UNBOUNDED, Range, estimate
from mlops_pipeline.evaluation.intervals import Draws
from mlops_pipeline.evaluation.measures import takes
from mlops_pipeline.evaluation.metrics import ece_consistency, quantile_bins
from mlops_pipeline.evaluation.metrics_multiclass import row_right
from mlops_pipeline.evaluation.records import (
    ClassCounts,
    Confusion,
    ReliabilityBin,
    Residuals,
    finite,
)

RELIABILITY_BINS = 10
RESIDUAL_CELLS = 30
TAIL = 0.01  # of residuals on each side, in the outermost cells
FAR = 3.0  # standard deviations of the truth by which a spoilt number is off


@dataclass(frozen=True, slots=True)
class Pictures:
    """The parts of a report that only some tasks have."""

    reliability: tuple[ReliabilityBin, ...] = ()
    confusion: Confusion | None = None
    calibration_p: float | None = None  # of "calibrated"
    residuals: Residuals | None = None
    classes: ClassCounts | None = None


def pictures(
    contract: ModelContract, draws: Draws, labels: np.ndarray, scores: np.ndarray, *, seed: int
) -> Pictures:
    """What there is to see, by the contract's task; nothing of scores that are none."""
    if not takes(contract.kind.metrics[0], scores):
        return Pictures()
    return _TASKS[contract.task].pictures(contract, draws, labels, scores, seed)


def spoilt(contract: ModelContract, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores that are as wrong as a broken model's."""
    return _TASKS[contract.task].spoilt(labels, scores)


def _of_yes_or_no(
    contract: ModelContract, draws: Draws, labels: np.ndarray, scores: np.ndarray, seed: int
) -> Pictures:
    return Pictures(
        reliability=_reliability(contract, draws, labels, scores, (0.0, 1.0)),
        confusion=_confusion(labels, scores > contract.bar),
        calibration_p=finite(ece_consistency(labels, scores, seed=seed)),
    )


def _of_numbers(
    contract: ModelContract, draws: Draws, labels: np.ndarray, scores: np.ndarray, seed: int
) -> Pictures:
    del seed
    mean = contract.target.quantile is None  # else the truth's mean is not what was asked for
    return Pictures(
        reliability=_reliability(contract, draws, labels, scores, UNBOUNDED) if mean else (),
        residuals=_residuals(labels - scores),
    )


def _of_classes(
    contract: ModelContract, draws: Draws, labels: np.ndarray, scores: np.ndarray, seed: int
) -> Pictures:
    right, sure = row_right(labels, scores), scores.max(axis=1)
    count = len(contract.classes)
    places = labels.astype(np.int64) * count + scores.argmax(axis=1)
    cells = np.bincount(places, minlength=count * count).reshape(count, count)
    return Pictures(
        reliability=_reliability(contract, draws, right, sure, (0.0, 1.0)),
        calibration_p=finite(ece_consistency(right, sure, seed=seed)),
        classes=ClassCounts(contract.classes, tuple(tuple(row) for row in cells.tolist())),
    )


def _turned_round(_: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The likeliest class has the probability of the unlikeliest, and so on."""
    order, found = scores.argsort(axis=1), np.empty_like(scores)
    np.put_along_axis(found, order, np.take_along_axis(scores, order[:, ::-1], axis=1), axis=1)
    return found


def _reliability(
    contract: ModelContract, draws: Draws, labels: np.ndarray, scores: np.ndarray, within: Range
) -> tuple[ReliabilityBin, ...]:
    place = quantile_bins(scores, RELIABILITY_BINS)
    found = []
    for bin_ in np.unique(place):
        rows = place == bin_
        own = draws.only(rows)
        observed = estimate(
            float(labels[rows].mean()),
            own.rate(labels[rows]),
            own,
            contract.acceptance.confidence,
            within,
        )
        found.append(ReliabilityBin(int(rows.sum()), float(scores[rows].mean()), observed))
    return tuple(found)


def _confusion(labels: np.ndarray, answers: np.ndarray) -> Confusion:
    yes = labels == 1.0
    return Confusion(
        true_positive=int((answers & yes).sum()),
        false_positive=int((answers & ~yes).sum()),
        false_negative=int((~answers & yes).sum()),
        true_negative=int((~answers & ~yes).sum()),
    )


def _residuals(off: np.ndarray) -> Residuals:
    """Equal cells over all but the tails, which lie in the outermost ones."""
    low, high = np.quantile(off, (TAIL, 1 - TAIL))
    edges = np.linspace(low, high if high > low else low + 1.0, RESIDUAL_CELLS + 1)
    counts, _ = np.histogram(np.clip(off, edges[0], edges[-1]), edges)
    fifth, middle, last = np.quantile(off, (0.05, 0.5, 0.95))
    return Residuals(
        edges=tuple(edges.tolist()),
        rows=tuple(counts.tolist()),
        mean=float(off.mean()),
        low=float(fifth),
        median=float(middle),
        high=float(last),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    pictures: Callable[[ModelContract, Draws, np.ndarray, np.ndarray, int], Pictures]
    spoilt: Callable[[np.ndarray, np.ndarray], np.ndarray]


_TASKS = {
    "binary": _Judged(_of_yes_or_no, lambda _, scores: 1.0 - scores),
    "regression": _Judged(_of_numbers, lambda labels, scores: scores + FAR * labels.std()),
    "multiclass": _Judged(_of_classes, _turned_round),
}
