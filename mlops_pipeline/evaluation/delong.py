"""ROC AUC and its paired difference for rows that are independent, without resampling.

DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3), by the midranks of Sun & Xu 2014, IEEE
Signal Processing Letters 21(11). An AUC's own interval is taken on the logit's scale, where it is
nearer to normal and stays below 1 (Pepe 2003, The Statistical Evaluation of Medical Tests,
section 5.2.4). Rows that share noise need the group bootstrap of `intervals`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit, ndtri
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
    """Candidate, champion and gain with intervals; the last two are None where the champion is.

    Where not one pair is lost, DeLong's variance is 0; the bound is then that of as many disjoint
    pairs as there are, all won: their chance is AUC to that power. Fewer than `FEWEST` rows of one
    label give a value but no interval: theirs would be too narrow.
    """
    given = [candidate] if champion is None else [candidate, champion]
    if not all(usable(scores) for scores in given):
        return NOTHING, *((None, None) if champion is None else (NOTHING, NOTHING))
    auc, covariance = delong(labels, given)
    reach = float(ndtri((1 + confidence) / 2))
    fewer = float(min(labels.sum(), len(labels) - labels.sum()))
    few = fewer < FEWEST

    def around(value: float, variance: float) -> Estimate:
        if not np.isfinite(value):
            return NOTHING
        if few:
            return Estimate(value, None, None)
        half = reach * float(np.sqrt(max(variance, 0.0)))
        return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))

    def alone(value: float, variance: float) -> Estimate:
        if few or not np.isfinite(value):
            return around(value, variance)
        if value in (0.0, 1.0):  # no pair was lost, which is no proof that none ever will be
            sure = float(((1 - confidence) / 2) ** (1 / fewer))
            return Estimate(value, min(value, sure), max(value, 1 - sure))
        half = reach * float(np.sqrt(max(variance, 0.0))) / (value * (1 - value))
        low, high = expit(logit(value) - half), expit(logit(value) + half)
        return Estimate(value, float(low), float(high))

    own = alone(float(auc[0]), float(covariance[0, 0]))
    if champion is None:
        return own, None, None
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    rival = alone(float(auc[1]), float(covariance[1, 1]))
    return own, rival, around(float(auc[0] - auc[1]), float(spread))


def gain_spread(labels: np.ndarray, candidate: np.ndarray, champion: np.ndarray) -> float:
    """The standard error of the paired difference; NaN where it is undefined."""
    covariance = delong(labels, [candidate, champion])[1]
    return float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
