"""What numeric answers are worth: `truth` and `answers` of shape (n,), both finite.

A metric that these rows do not define is NaN: it never passes a gate.
"""

import numpy as np


def mae(truth: np.ndarray, answers: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.abs(answers - truth).mean()) if len(truth) else float("nan")


def rmse(truth: np.ndarray, answers: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(((answers - truth) ** 2).mean())) if len(truth) else float("nan")


def r2(truth: np.ndarray, answers: np.ndarray) -> float:
    """Share of the variance that is explained: 1 - SSE / SST. Undefined where nothing varies."""
    if not len(truth):
        return float("nan")
    total = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - answers) ** 2).sum()) / total if total > 0 else float("nan")


def pinball(truth: np.ndarray, answers: np.ndarray, quantile: float = 0.5) -> float:
    """Mean quantile loss (Koenker & Bassett 1978, Econometrica 46(1), eq. 3.1)."""
    return float(row_pinball(truth, answers, quantile).mean()) if len(truth) else float("nan")


def quantile_coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of rows whose truth lies within [low, high]."""
    return float(((low <= truth) & (truth <= high)).mean()) if len(truth) else float("nan")


def row_pinball(truth: np.ndarray, answers: np.ndarray, quantile: float) -> np.ndarray:
    """Quantile loss of each row."""
    above = truth - answers
    losses: np.ndarray = np.maximum(quantile * above, (quantile - 1) * above)
    return losses
