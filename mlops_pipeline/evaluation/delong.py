"""ROC AUC and its paired difference for rows that are independent, without resampling.

DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3), by the midranks of Sun & Xu 2014, IEEE
Signal Processing Letters 21(11). Rows that share noise need the group bootstrap of `intervals`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from mlops_pipeline.evaluation.metrics import usable
from mlops_pipeline.evaluation.records import Estimate

NOTHING = Estimate(None, None, None)
FEWEST = 20


def delong(labels: np.ndarray, scores: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """AUC of each set of scores, shape (k,), and the covariance of these estimates, (k, k).

    NaN where fewer than two rows have one of the labels.
    """
    yes = labels == 1.0
    positives, negatives = int(yes.sum()), int((~yes).sum())
    count = len(scores)
    if positives < 2 or negatives < 2:
        return np.full(count, np.nan), np.full((count, count), np.nan)
    won = np.empty((count, positives))  # share of negatives below each positive
    lost = np.empty((count, negatives))  # share of positives above each negative
    for place, given in enumerate(scores):
        above, below = given[yes], given[~yes]
        ranks = rankdata(np.concatenate([above, below]))
        won[place] = (ranks[:positives] - rankdata(above)) / negatives
        lost[place] = 1 - (ranks[positives:] - rankdata(below)) / positives
    covariance = np.atleast_2d(np.cov(won)) / positives + np.atleast_2d(np.cov(lost)) / negatives
    return won.mean(axis=1), covariance


def auc_estimates(
    labels: np.ndarray,
    candidate: np.ndarray,
    champion: np.ndarray | None,
    confidence: float,
) -> tuple[Estimate, Estimate | None, Estimate | None]:
    """Candidate, champion and gain with normal intervals; the last two are None where it is.

    Fewer than `FEWEST` rows of one label give a value but no interval: theirs would be too narrow.
    """
    given = [candidate] if champion is None else [candidate, champion]
    if not all(usable(scores) for scores in given):
        return NOTHING, *((None, None) if champion is None else (NOTHING, NOTHING))
    auc, covariance = delong(labels, given)
    reach = float(ndtri((1 + confidence) / 2))
    few = min(labels.sum(), len(labels) - labels.sum()) < FEWEST

    def around(value: float, variance: float, least: float) -> Estimate:
        if not np.isfinite(value):
            return NOTHING
        if few:
            return Estimate(float(value), None, None)
        half = reach * float(np.sqrt(max(variance, 0.0)))
        return Estimate(
            float(value), float(max(value - half, least)), float(min(value + half, 1.0))
        )

    own = around(auc[0], covariance[0, 0], 0.0)
    if champion is None:
        return own, None, None
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return own, around(auc[1], covariance[1, 1], 0.0), around(auc[0] - auc[1], spread, -1.0)
