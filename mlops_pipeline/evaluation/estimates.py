"""From a point and its draws to an interval that is honest where groups are few.

Twenty to sixty days are few, and their losses are skewed and heavy-tailed: a percentile interval
is too short, and a candidate that is worse by the margin passes too often. Two intervals are taken
and the wider end of each counts:

* Student's t around the point, with the standard error of the jackknife over groups (Efron &
  Tibshirani 1993, An Introduction to the Bootstrap, eq. 11.5; the cluster form is CR3 in Cameron,
  Gelbach & Miller 2008, Review of Economics and Statistics 90(3));
* the bootstrap's percentiles, expanded for few groups (Hesterberg 2015, The American Statistician
  69(4), section 4.3), which follow the skew.

Both take the degrees of freedom from how heavy the tails of the groups' influence are: a standard
error from few heavy-tailed groups is itself unsure. Bootstrap-t, BCa and Hall's correction were
tried on the same rows and accepted more of the worse candidates (decision 0042).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from mlops_pipeline.evaluation.intervals import Draws
from mlops_pipeline.evaluation.records import Estimate

MIN_GROUPS = 5  # fewer say too little about how groups differ
UNDEFINED_SHARE = 0.01  # of draws on which the metric may be undefined
Range = tuple[float, float]
UNBOUNDED: Range = (-np.inf, np.inf)
RANGE: dict[str, Range] = {  # of a metric's own value; an interval does not promise more
    **dict.fromkeys(("roc_auc", "average_precision", "accuracy", "f1"), (0.0, 1.0)),
    **dict.fromkeys(("brier", "ece", "quantile_coverage"), (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "mae", "rmse", "pinball"), (0.0, np.inf)),
    **dict.fromkeys(("macro_f1", "macro_roc_auc", "confidence_ece"), (0.0, 1.0)),
    "multiclass_brier": (0.0, 2.0),
    "r2": (-np.inf, 1.0),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """A standard error and the degrees of freedom with which it is known."""

    error: float
    freedom: float


def estimate(
    point: float, drawn: np.ndarray, draws: Draws, confidence: float, within: Range = UNBOUNDED
) -> Estimate:
    """The point with its interval; `low <= point <= high`, and inside `within`.

    `drawn` is the value in each of the draws. The interval is missing where there are fewer than
    `MIN_GROUPS` groups or the draws leave the value undefined.
    """
    if not np.isfinite(point):
        return Estimate(None, None, None)
    resampled = draws.resampled(drawn)
    finite = resampled[np.isfinite(resampled)]
    known = spread(drawn, draws)
    if known is None or len(finite) < (1 - UNDEFINED_SHARE) * len(resampled):
        return Estimate(float(point), None, None)
    groups = draws.groups
    reach = float(stdtrit(known.freedom, (1 - confidence) / 2))  # negative
    expanded = float(ndtr(np.sqrt(groups / (groups - 1)) * reach))
    low, high = np.quantile(finite, (expanded, 1 - expanded))
    low = min(low, point + reach * known.error)
    high = max(high, point - reach * known.error)
    return Estimate(
        float(point),
        float(min(max(low, within[0]), point)),
        float(max(min(high, within[1]), point)),
    )


def spread(drawn: np.ndarray, draws: Draws) -> Spread | None:
    """The jackknife's standard error over groups; None where it cannot be had.

    Degrees of freedom are Satterthwaite's for a variance from g draws of kurtosis k, 2 over
    (k - (g - 3) / (g - 1)) / g, at most g - 1; k is the unbiased one (Joanes & Gill 1998, The
    Statistician 47(1)).
    """
    groups = draws.groups
    left = draws.left_out(drawn)
    if groups < MIN_GROUPS or not np.isfinite(left).all():
        return None
    away = left - left.mean()
    scale = float(np.abs(away).max())
    if not scale > 0:
        return Spread(0.0, groups - 1.0)
    squares = float(np.square(away / scale).mean())  # scaled: the smallest powers would vanish
    error = scale * float(np.sqrt((groups - 1) * squares))
    excess = float(((away / scale) ** 4).mean()) / squares**2 - 3
    excess = (groups - 1) / ((groups - 2) * (groups - 3)) * ((groups + 1) * excess + 6)
    varies = (excess + 3 - (groups - 3) / (groups - 1)) / groups
    return Spread(error, min(groups - 1.0, 2 / varies) if varies > 0 else groups - 1.0)


def p_below(value: float, bound: float, known: Spread | None) -> float:
    """P-value of "the true value is at least the bound", by a one-sided t-test."""
    distance = value - bound
    if known is None or not known.error > 0:
        return 0.0 if distance < 0 else 1.0
    return float(stdtr(known.freedom, distance / known.error))
