"""From an estimate and a bound to one of a few words, and how many rows would make it decided.

A criterion is met, or missed, only when its whole interval says so; otherwise it is inconclusive.
An interval that shrinks around its point can therefore only become more decided.
"""

import math
from enum import StrEnum

from mlops_pipeline.evaluation.records import Estimate

HOPELESS = 100  # times the rows at hand: the value lies at its bound


class Outcome(StrEnum):
    """What the evidence says about one thing that the contract asks for."""

    SUPERIOR = "superior"  # the whole interval is better than the champion
    NON_INFERIOR = "non_inferior"  # the whole interval is above the margin
    INFERIOR = "inferior"  # the whole interval is below the margin
    INCONCLUSIVE = "inconclusive"  # the interval holds the bound: more rows needed
    MET = "met"
    MISSED = "missed"
    SUSPICIOUS = "suspicious"  # too good to be believed without a person looking
    NO_BASELINE = "no_baseline"
    NOT_EVALUATED = "not_evaluated"  # too few rows to say anything
    MISSING = "missing"  # could not be measured, or is not finite


def against_champion(gain: Estimate, margin: float) -> Outcome:
    """Non-inferiority by confidence interval; `gain` is positive where the candidate is better."""
    if gain.value is None or not math.isfinite(gain.value):
        return Outcome.MISSING
    if gain.low is None or gain.high is None:
        return Outcome.INCONCLUSIVE
    if gain.low > 0:
        return Outcome.SUPERIOR
    if gain.low > -margin:
        return Outcome.NON_INFERIOR
    if gain.high < -margin:
        return Outcome.INFERIOR
    return Outcome.INCONCLUSIVE


def against_bounds(found: Estimate, at_least: float | None, at_most: float | None) -> Outcome:
    """Whether the whole interval keeps the bounds, or the whole interval breaks one."""
    if found.value is None or not math.isfinite(found.value):
        return Outcome.MISSING
    if found.low is None or found.high is None:
        return Outcome.INCONCLUSIVE
    floor = -math.inf if at_least is None else at_least
    ceiling = math.inf if at_most is None else at_most
    if found.low >= floor and found.high <= ceiling:
        return Outcome.MET
    if found.high < floor or found.low > ceiling:
        return Outcome.MISSED
    return Outcome.INCONCLUSIVE


def more_rows(found: Estimate, bound: float, rows: int) -> int | None:
    """About how many rows more would move the interval off the bound, to two digits.

    Interval widths shrink with the square root of the rows. None where no interval is there, or
    where the value lies so near the bound that rows will not decide.
    """
    if found.value is None or found.low is None or found.high is None:
        return None
    distance = abs(found.value - bound)
    half = found.value - found.low if found.value >= bound else found.high - found.value
    if distance == 0 or half > distance * math.sqrt(HOPELESS):
        return None
    needed = rows * ((half / distance) ** 2 - 1)
    if needed <= 0:
        return 0
    digit = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    return int(math.ceil(needed / digit) * digit)
