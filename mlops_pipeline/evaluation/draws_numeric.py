"""Metrics of numbers in draws of whole groups: ratios and roots of sums over groups.

R2 in a draw is one less the ratio of two sums: the squared errors, and the squared distances of the
truth from the draw's own mean.
"""

from typing import TYPE_CHECKING

import numpy as np

from mlops_pipeline.evaluation.metrics_numeric import row_pinball

if TYPE_CHECKING:
    from mlops_pipeline.evaluation.intervals import Draws


def mae(draws: "Draws", truth: np.ndarray, answers: np.ndarray, _: float) -> np.ndarray:
    """Mean absolute error in each draw."""
    return draws.rate(np.abs(answers - truth))


def rmse(draws: "Draws", truth: np.ndarray, answers: np.ndarray, _: float) -> np.ndarray:
    """Root mean squared error in each draw."""
    return np.asarray(np.sqrt(draws.rate((answers - truth) ** 2)))


def r2(draws: "Draws", truth: np.ndarray, answers: np.ndarray, _: float) -> np.ndarray:
    """Share of the variance that is explained in each draw; not finite where nothing varies."""
    if not len(truth):
        return np.full(len(draws.weights), np.nan)
    near = truth - truth.mean()  # so that no digit is lost to a mean far from 0
    varying = draws.sums(near**2) - draws.sums(near) ** 2 / draws.sums(np.ones(len(truth)))
    return np.asarray(1 - draws.sums((truth - answers) ** 2) / varying)


def pinball(draws: "Draws", truth: np.ndarray, answers: np.ndarray, bar: float) -> np.ndarray:
    """Mean quantile loss in each draw."""
    return draws.rate(row_pinball(truth, answers, bar))


def quantile_coverage(
    draws: "Draws", truth: np.ndarray, answers: np.ndarray, _: float
) -> np.ndarray:
    """Share of rows in each draw whose truth is at most the answer."""
    return draws.rate((truth <= answers) * 1.0)


DRAWN = {
    "mae": mae,
    "rmse": rmse,
    "r2": r2,
    "pinball": pinball,
    "quantile_coverage": quantile_coverage,
}
