"""Evidence that stays valid however often one looks: mixtures of likelihood ratios.

Under its null hypothesis each process below is a non-negative supermartingale that starts at 1:
every term of the mixture is a product of factors whose conditional mean, given the past, is at most
1. So

    P(the process ever reaches 1/alpha) <= alpha                                    (Ville 1939)

at every peeking schedule, with no horizon. Sources: Robbins 1970 (mixtures); Wald 1945 (likelihood
ratios); Howard, Ramdas, McAuliffe, Sekhon, Annals of Statistics 49(2), 2021; Lindon & Malek,
NeurIPS 2022, arXiv 2011.03567 (the relative test is its one-sided two-arm form); Waudby-Smith &
Ramdas, JRSS-B 2024, arXiv 2010.09686 (bets on bounded means).

The unit that is counted must be the unit that was randomised: outcomes that repeat within one user
break every statement here (field measurement: A/A 2.8 % for one outcome a user, 18 % for two).

All functions return natural logarithms of e-values and take numbers or arrays of equal shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Odds ratios that are bet on, uniformly: how much worse, or better, the truth may be.
WORSE: Floats = np.array([1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 100.0])
BETTER: Floats = np.array([0.8, 0.67, 0.5, 0.33, 0.2, 0.1])
BETS: Floats = np.array([0.1, 0.25, 0.5, 0.75, 0.95])  # shares of the largest allowed bet on a mean


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Failures of both arms while a randomised unit met the candidate with probability `share`.

    `share` is the router's coin, never the ratio of counters.
    """

    share: float
    bad_candidate: npt.ArrayLike
    bad_stable: npt.ArrayLike


def log_e_above(bad: npt.ArrayLike, n: npt.ArrayLike, budget: float) -> Floats:
    """Evidence that more than `budget` of the outcomes are bad.

    Null hypothesis: P(outcome t is bad | past) <= budget for every t.
    """
    return _mixture(_likelihood_ratio(bad, n, budget, WORSE))


def log_e_above_lately(blocks: Sequence[tuple[int, int]], budget: float) -> float:
    """Evidence that more than `budget` of the outcomes are bad since some unknown moment.

    `blocks` are (outcomes, bad ones) of consecutive blocks of a fixed length, the last unfinished.
    A long good past would hide a version that goes bad late; so a process starts at each block, the
    j-th with weight 1/((j+1)(j+2)). Before its start a process is 1, and the weights sum to 1:
    the mixture is a supermartingale under the null hypothesis of `log_e_above` (Shin, Ramdas,
    Rinaldo, "E-detectors", NEJSDS 2023, arXiv 2203.03532).
    """
    count = len(blocks)
    if count == 0:
        return 0.0
    since = np.cumsum(np.array(blocks, float)[::-1], axis=0)[::-1]
    started = log_e_above(since[:, 1], since[:, 0], budget)
    number = np.arange(count)
    weights = -np.log((number + 1.0) * (number + 2.0))
    waiting = -np.log(count + 1.0)  # what is left for processes that have not begun
    return float(_total(np.append(started + weights, waiting)))


def log_e_below(bad: npt.ArrayLike, n: npt.ArrayLike, budget: float) -> Floats:
    """Evidence that less than `budget` of the outcomes are bad: what a promotion needs.

    Null hypothesis: P(outcome t is bad | past) >= budget for every t.
    """
    return _mixture(_likelihood_ratio(bad, n, budget, BETTER))


def log_e_worse(stages: Sequence[Stage], tolerance: float = 1.0) -> Floats:
    """Evidence that the candidate fails more than `tolerance` times as often as the stable.

    Null hypothesis: at every t, rate of candidate <= tolerance * rate of stable. Given that a
    failure happened while the candidate's share was s, it is the candidate's with probability at
    most s*tolerance / (s*tolerance + 1 - s), whatever the common, drifting rate is; so outages that
    hit both arms, and shares that grow, cancel out. A stage at which only one arm has traffic says
    nothing.
    """
    total: Floats = np.zeros(WORSE.shape)
    for stage in stages:
        if not 0 < stage.share < 1:
            continue
        odds = tolerance * stage.share / (1 - stage.share)
        bet = odds * WORSE
        candidate = np.asarray(stage.bad_candidate, float)[..., None]
        stable = np.asarray(stage.bad_stable, float)[..., None]
        hit = np.log(bet / (1 + bet)) - np.log(odds / (1 + odds))
        miss = np.log1p(odds) - np.log1p(bet)
        total = total + candidate * hit + stable * miss
    return _mixture(total)


def log_e_mean_above(values: npt.ArrayLike, limit: float) -> Floats:
    """Evidence that the mean of values in [0, 1] is above `limit`.

    Null hypothesis: E[value t | past] <= limit for every t. Each term is the capital of a gambler
    who stakes a fixed share on every value being above the limit (Waudby-Smith & Ramdas, sec. 4).
    """
    if not 0 < limit < 1:
        raise ValueError(f"limit must lie between 0 and 1, not {limit}")
    x = np.asarray(values, float)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"values must lie in [0, 1]; found {x.min()} to {x.max()}")
    stakes = BETS / limit
    return _mixture(np.log1p(stakes * (x[..., None] - limit)).sum(axis=0))


def _likelihood_ratio(bad: npt.ArrayLike, n: npt.ArrayLike, null: float, ratios: Floats) -> Floats:
    odds = null / (1 - null) * ratios
    rate = odds / (1 + odds)
    k = np.asarray(bad, float)[..., None]
    good = np.asarray(n, float)[..., None] - k
    return np.asarray(k * np.log(rate / null) + good * (np.log1p(-rate) - np.log1p(-null)))


def _total(terms: Floats) -> Floats:
    top = terms.max()
    return np.asarray(top + np.log(np.exp(terms - top).sum()))


def _mixture(terms: Floats) -> Floats:
    top = terms.max(axis=-1)
    return np.asarray(top + np.log(np.exp(terms - top[..., None]).mean(axis=-1)))
