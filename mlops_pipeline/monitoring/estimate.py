"""What answers are worth before their labels are there: expected from calibrated scores alone.

Confidence-based performance estimation: each answer counts as right with its calibrated
probability (Kull & Flach 2014 for the idea; NannyML's CBPE for the name). `ASSUMES` is printed
beside every estimate, because nothing in the scores tells when it no longer holds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

ASSUMES = (
    "the same inputs still mean the same chances (no concept shift), and live rows lie where the "
    "release was judged; the estimate is never a gate"
)
UNESTIMATED = (
    "nothing is estimated: only the chances of yes or no say what to expect of answers; these have "
    "to wait for their labels"
)
ESTIMATED = ("roc_auc", "log_loss", "brier", "accuracy", "f1")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A growing map from scores to probabilities; both arrays are sorted."""

    scores: np.ndarray
    chances: np.ndarray

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """The calibrated probability of each score; constant beyond the ends."""
        found: np.ndarray = np.interp(scores, self.scores, self.chances)
        return found


def calibrate(scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """The isotonic fit of labels on scores (Zadrozny & Elkan 2002); equal scores share a value."""
    names, member, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rates = np.bincount(member, labels) / counts
    return Calibration(names, isotonic_regression(rates, weights=counts).x)


def expect(
    scores: np.ndarray,
    chances: np.ndarray,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, float]:
    """Expected metrics of scores whose labels are 1 with the chances; empty where there are none.

    Expectations are of the counts, and ratios are taken of them. A row counts by its weight: one
    over the probability with which it was kept.
    """
    if not len(scores):
        return {}
    each = np.ones(len(scores)) if weights is None else weights
    answers = scores > threshold
    hits, positives = float((each * chances)[answers].sum()), float((each * chances).sum())
    told = np.clip(scores, 1e-15, 1 - 1e-15)
    losses = -(chances * np.log(told) + (1 - chances) * np.log1p(-told))
    squares = chances * (1 - scores) ** 2 + (1 - chances) * scores**2
    return {
        "roc_auc": expected_auc(scores, chances, each),
        "log_loss": float(np.average(losses, weights=each)),
        "brier": float(np.average(squares, weights=each)),
        "accuracy": float(np.average(np.where(answers, chances, 1 - chances), weights=each)),
        "f1": 2 * hits / (float(each[answers].sum()) + positives),
    }


def expected_auc(
    scores: np.ndarray, chances: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Expected won pairs over expected pairs of a positive and another row's negative."""
    each = np.ones(len(scores)) if weights is None else weights
    _, member = np.unique(scores, return_inverse=True)
    yes, no = np.bincount(member, each * chances), np.bincount(member, each * (1 - chances))
    below = np.cumsum(no) - no
    own = np.bincount(member, each**2 * chances * (1 - chances))  # no row is paired with itself
    won = float((yes * below + (yes * no - own) / 2).sum())
    pairs = float(yes.sum() * no.sum() - own.sum())
    return won / pairs if pairs > 0 else float("nan")
