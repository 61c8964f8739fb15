"""Metrics over several classes in draws of whole groups: means, and ratios of sums over groups.

`labels` (n,) in 0 … k-1, `scores` (n, k); the AUC of each class against the rest is drawn by
`intervals`, which has the draws of an AUC.
"""

from typing import TYPE_CHECKING

import numpy as np

from mlops_pipeline.evaluation.metrics_multiclass import row_brier, row_log_loss, row_right

if TYPE_CHECKING:
    from mlops_pipeline.evaluation.intervals import Draws


def accuracy(draws: "Draws", labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    """Share of rows in each draw whose likeliest class is the one that happened."""
    return draws.rate(row_right(labels, scores))


def log_loss(draws: "Draws", labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    """Log-loss in each draw."""
    return draws.rate(row_log_loss(labels, scores))


def brier(draws: "Draws", labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    """Brier score in each draw."""
    return draws.rate(row_brier(labels, scores))


def macro_f1(draws: "Draws", labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    """Mean F1 over the classes that each draw holds, as labels or as answers."""
    answers = scores.argmax(axis=1)
    total, count = np.zeros(len(draws.weights)), np.zeros(len(draws.weights))
    for name in np.union1d(labels, answers):
        told, happened = (answers == name) * 1.0, (labels == name) * 1.0
        both, hits = draws.sums(told) + draws.sums(happened), draws.sums(told * happened)
        total += np.divide(2 * hits, both, out=np.zeros(len(both)), where=both > 0)
        count += both > 0
    return np.asarray(total / count)


DRAWN = {
    "accuracy": accuracy,
    "log_loss": log_loss,
    "multiclass_brier": brier,
    "macro_f1": macro_f1,
}
