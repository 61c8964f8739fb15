"""The e-processes: exact supermartingales, valid under peeking, fast where it matters."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from mlops_pipeline.delivery.sequential import (
    BETS,
    WORSE,
    Stage,
    log_e_above,
    log_e_above_lately,
    log_e_below,
    log_e_mean_above,
    log_e_worse,
)


def conditional_mean(now: float, after_bad: float, after_good: float, p: float) -> float:
    """E[next e-value | past] / e-value, for log e-values."""
    return p * math.exp(after_bad - now) + (1 - p) * math.exp(after_good - now)


@pytest.mark.parametrize(("n", "bad"), [(0, 0), (1, 1), (40, 0), (200, 9)])
@pytest.mark.parametrize("budget", [0.01, 0.05, 0.5])
def test_above_is_a_martingale_at_the_budget_and_shrinks_below_it(n: int, bad: int, budget: float):
    def mean_at(p: float) -> float:
        now = float(log_e_above(bad, n, budget))
        worse = float(log_e_above(bad + 1, n + 1, budget))
        better = float(log_e_above(bad, n + 1, budget))
        return conditional_mean(now, worse, better, p)

    assert mean_at(budget) == pytest.approx(1, abs=1e-12)
    assert mean_at(budget / 2) < 1


@pytest.mark.parametrize(("n", "bad"), [(0, 0), (60, 0), (200, 9)])
def test_below_is_a_martingale_at_the_budget_and_shrinks_above_it(n: int, bad: int):
    def mean_at(p: float) -> float:
        now = float(log_e_below(bad, n, 0.05))
        worse = float(log_e_below(bad + 1, n + 1, 0.05))
        better = float(log_e_below(bad, n + 1, 0.05))
        return conditional_mean(now, worse, better, p)

    assert mean_at(0.05) == pytest.approx(1, abs=1e-12)
    assert mean_at(0.1) < 1


@pytest.mark.parametrize("tolerance", [1.0, 1.25])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_worse_is_a_martingale_given_that_a_failure_happened(tolerance: float, share: float):
    before = [Stage(0.05, 2, 7)]
    now = float(log_e_worse([*before, Stage(share, 1, 1)], tolerance))
    mine = float(log_e_worse([*before, Stage(share, 2, 1)], tolerance))
    theirs = float(log_e_worse([*before, Stage(share, 1, 2)], tolerance))
    fair = share * tolerance / (share * tolerance + 1 - share)
    assert conditional_mean(now, mine, theirs, fair) == pytest.approx(1, abs=1e-12)
    assert conditional_mean(now, mine, theirs, fair * 0.9) < 1


@pytest.mark.parametrize("blocks", [[], [(100, 1)], [(100, 1), (100, 4), (30, 2)]])
def test_lately_is_a_martingale_within_a_block_and_where_one_begins(blocks: list[tuple[int, int]]):
    now = log_e_above_lately(blocks, 0.05)
    if blocks and blocks[-1][0] < 100:
        (n, bad), rest = blocks[-1], blocks[:-1]
    else:
        (n, bad), rest = (0, 0), blocks
    mean = conditional_mean(
        now,
        log_e_above_lately([*rest, (n + 1, bad + 1)], 0.05),
        log_e_above_lately([*rest, (n + 1, bad)], 0.05),
        0.05,
    )
    assert mean == pytest.approx(1, abs=1e-12)


def test_mean_above_is_a_martingale_for_values_whose_mean_is_the_limit():
    before = [0.1, 0.9, 0.4]
    now = float(log_e_mean_above(before, 0.2))
    high = float(log_e_mean_above([*before, 1.0], 0.2))
    low = float(log_e_mean_above([*before, 0.0], 0.2))
    assert conditional_mean(now, high, low, 0.2) == pytest.approx(1, abs=1e-12)


def test_the_first_outcome_is_worth_what_the_bets_say():
    odds = 0.25 * WORSE  # budget 0.2
    by_hand = np.mean((odds / (1 + odds)) / 0.2)
    assert math.exp(log_e_above(1, 1, 0.2)) == pytest.approx(by_hand)
    assert math.exp(log_e_mean_above([0.0], 0.2)) == pytest.approx(np.mean(1 - BETS))
    assert math.exp(log_e_worse([Stage(0.5, 1, 0)])) == pytest.approx(
        np.mean(2 * WORSE / (1 + WORSE))
    )


def test_nothing_seen_is_no_evidence():
    assert float(log_e_above(0, 0, 0.01)) == pytest.approx(0)
    assert float(log_e_below(0, 0, 0.01)) == pytest.approx(0)
    assert float(log_e_worse([])) == pytest.approx(0)
    assert float(log_e_worse([Stage(1.0, 50, 0), Stage(0.0, 0, 9)])) == pytest.approx(0)
    assert log_e_above_lately([], 0.01) == 0


def test_exactly_computed_false_alarms_at_every_request_stay_below_alpha():
    """Dynamic program over all paths of 1500 requests at p = budget, stopping at E >= 20."""
    alive = np.array([1.0])  # P(not stopped, k bad so far)
    for n in range(1, 1501):
        alive = np.append(alive * 0.99, 0) + np.append(0, alive * 0.01)
        alive[log_e_above(np.arange(len(alive)), n, 0.01) >= math.log(20)] = 0
        alive = alive[: 60 if len(alive) > 60 else None]
    stopped = 1 - alive.sum()
    assert 0.005 < stopped < 0.05


def ever(test: Callable[[np.ndarray, np.ndarray], np.ndarray], bad: np.ndarray) -> np.ndarray:
    """Per row: whether the test reached 20 at any request."""
    n = np.arange(1, bad.shape[1] + 1)
    return (test(bad.cumsum(axis=1), n) >= math.log(20)).any(axis=1)


def test_an_equal_candidate_under_a_drifting_baseline_is_rarely_called_worse():
    """The shared rate triples half-way; looking at every request; a pooled z-test errs in 94 %."""
    random = np.random.default_rng(7)
    rate = np.r_[np.full(1500, 0.01), np.full(1500, 0.03)]
    fails = random.random((600, 3000)) < rate
    share = np.r_[np.full(1000, 0.05), np.full(1000, 0.25), np.full(1000, 0.5)]
    mine = random.random((600, 3000)) < share
    counts = [
        Stage(
            float(share[start]),
            (fails & mine)[:, start : start + 1000].cumsum(axis=1),
            (fails & ~mine)[:, start : start + 1000].cumsum(axis=1),
        )
        for start in (0, 1000, 2000)
    ]
    called = np.zeros(600, bool)
    for index in range(3):
        done = [
            Stage(s.share, s.bad_candidate[:, -1:], s.bad_stable[:, -1:]) for s in counts[:index]
        ]
        called |= (log_e_worse([*done, counts[index]]) >= math.log(20)).any(axis=1)
    assert called.mean() < 0.05


@pytest.mark.parametrize(("rate", "median_below"), [(0.05, 220), (0.1, 90), (0.5, 12)])
def test_a_bad_candidate_is_found_within_so_many_requests(rate: float, median_below: int):
    random = np.random.default_rng(11)
    bad = random.random((300, 2000)) < rate
    log_e = log_e_above(bad.cumsum(axis=1), np.arange(1, 2001), 0.01)
    reached = log_e >= math.log(20)
    assert reached.any(axis=1).mean() > 0.99
    assert np.median(reached.argmax(axis=1) + 1) < median_below


def test_a_candidate_that_goes_bad_after_a_long_good_time_is_found_soon():
    good = [(100, 0)] * 50
    soon = next(
        n for n in range(1, 100) if log_e_above_lately([*good, (n, n)], 0.05) > math.log(160)
    )
    late = next(n for n in range(1, 5000) if log_e_above(n, 5000 + n, 0.05) > math.log(160))
    assert soon <= 8
    assert late > 300


def test_counting_a_unit_more_than_once_breaks_the_promise():
    """Why evidence counts first outcomes: each user's outcome is repeated five times here."""
    random = np.random.default_rng(3)
    once = random.random((400, 600)) < 0.01
    assert ever(lambda bad, n: log_e_above(bad, n, 0.01), once).mean() < 0.05
    repeated = np.repeat(once, 5, axis=1)
    assert ever(lambda bad, n: log_e_above(bad, n, 0.01), repeated).mean() > 0.15


@pytest.mark.parametrize("limit", [0.0, 1.0, -1.0])
def test_a_mean_is_only_compared_with_a_limit_it_can_cross(limit: float):
    with pytest.raises(ValueError, match=r"limit must lie between 0 and 1"):
        log_e_mean_above([0.5], limit)


def test_values_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"values must lie in \[0, 1\]; found 0.5 to 1.5"):
        log_e_mean_above([0.5, 1.5], 0.2)
