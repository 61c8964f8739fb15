import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from mlops_pipeline.evaluation.estimates import Spread, estimate, p_below, spread
from mlops_pipeline.evaluation.intervals import Draws, draw_groups
from mlops_pipeline.evaluation.records import Estimate


def of_days(days: int, *, resamples: int = 200) -> Draws:
    """One row a day."""
    return draw_groups(np.arange(days), resamples=resamples, seed=0)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0, 8.0, 10.0])
    draws = of_days(6)
    found = spread(draws.rate(values), draws)
    assert found is not None
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(6))


def test_light_tails_have_all_degrees_of_freedom_and_heavy_ones_few() -> None:
    draws = of_days(20)
    light = spread(draws.rate(np.arange(20.0)), draws)
    heavy = spread(draws.rate((np.arange(20) == 3) * 1.0), draws)
    assert light is not None
    assert light.freedom == 19
    assert heavy is not None  # one day is everything: k = 20 of 20, 2 * 20 / (k - 17 / 19)
    assert heavy.freedom == pytest.approx(2 * 20 / (23 - 17 / 19), rel=0.01)


def test_groups_that_do_not_differ_have_no_spread() -> None:
    draws = of_days(9)
    assert spread(draws.rate(np.full(9, 0.5)), draws) == Spread(0.0, 8.0)


@settings(deadline=None)
@given(
    values=st.lists(st.floats(0, 1), min_size=5, max_size=60),
    shift=st.floats(-0.5, 0.5),
    confidence=st.sampled_from([0.8, 0.9, 0.95]),
)
def test_an_interval_contains_its_point(
    values: list[float], shift: float, confidence: float
) -> None:
    draws = of_days(len(values), resamples=50)
    point = float(np.mean(values)) + shift
    found = estimate(point, draws.rate(np.array(values)), draws, confidence, (0.0, 1.0))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= point <= found.high


@settings(deadline=None)
@given(values=st.lists(st.floats(0, 1), min_size=5, max_size=40))
def test_more_confidence_gives_no_narrower_an_interval(values: list[float]) -> None:
    draws = of_days(len(values), resamples=50)
    drawn, point = draws.rate(np.array(values)), float(np.mean(values))
    sure, surer = (estimate(point, drawn, draws, c) for c in (0.9, 0.95))
    assert (surer.low or 0) <= (sure.low or 0)
    assert (surer.high or 0) >= (sure.high or 0)


@settings(deadline=None)
@given(values=st.lists(st.floats(0, 1), min_size=5, max_size=40))
def test_an_interval_holds_the_t_interval_and_the_percentiles(values: list[float]) -> None:
    draws = of_days(len(values))
    drawn, point = draws.rate(np.array(values)), float(np.mean(values))
    known = spread(drawn, draws)
    assert known is not None
    found = estimate(point, drawn, draws, 0.9)
    reach = float(stdtrit(known.freedom, 0.95)) * known.error
    low, high = np.quantile(draws.resampled(drawn), (0.05, 0.95))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= min(low, point - reach) + 1e-12
    assert found.high >= max(high, point + reach) - 1e-12


def test_an_interval_stays_within_the_range_of_its_value() -> None:
    values = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.2])
    draws = of_days(6)
    point = float(values.mean())
    free = estimate(point, draws.rate(values), draws, 0.9)
    held = estimate(point, draws.rate(values), draws, 0.9, (0.0, 1.0))
    assert (free.high or 0) > 1
    assert (held.low, held.high) == (free.low, 1.0)


def test_four_days_give_a_value_but_no_interval() -> None:
    draws = of_days(4)
    assert estimate(0.5, draws.rate(np.full(4, 0.5)), draws, 0.9) == Estimate(0.5, None, None)


def test_a_metric_that_most_draws_do_not_define_has_no_interval() -> None:
    draws = of_days(30, resamples=100)
    drawn = np.where(np.arange(130) < 3, np.nan, 0.5)
    assert estimate(0.5, drawn, draws, 0.9) == Estimate(0.5, None, None)


def test_a_metric_that_one_day_alone_defines_has_no_interval() -> None:
    draws = of_days(30, resamples=100)
    drawn = np.where(np.arange(130) == 104, np.nan, 0.5)
    assert estimate(0.5, drawn, draws, 0.9) == Estimate(0.5, None, None)


def test_an_undefined_point_is_no_estimate() -> None:
    draws = of_days(30)
    drawn = np.full(230, 0.5)
    assert estimate(float("nan"), drawn, draws, 0.9) == Estimate(None, None, None)


def test_a_p_value_is_small_only_where_the_value_lies_below_its_bound() -> None:
    known = Spread(0.01, 20.0)
    assert p_below(-0.05, -0.05, known) == 0.5
    assert p_below(-0.09, -0.05, known) < 0.001
    assert p_below(0.0, -0.05, known) > 0.999
    assert [p_below(v, 0.0, Spread(0.0, 20.0)) for v in (-0.1, 0.0)] == [0.0, 1.0]


def test_an_interval_and_the_veto_of_its_value_say_the_same() -> None:
    values = np.random.default_rng(4).normal(size=40) - 0.3
    draws = of_days(40)
    drawn, point = draws.rate(values), float(values.mean())
    known = spread(drawn, draws)
    assert known is not None
    found = estimate(point, drawn, draws, 0.9)
    assert found.high is not None
    assert p_below(point, found.high, known) <= 0.05 + 1e-9


def test_days_that_share_noise_need_wider_intervals_than_rows_would_say() -> None:
    chance = np.random.default_rng(0)
    covered = {"day": 0, "row": 0}
    for seed in range(200):
        day = np.repeat(np.arange(30), 20)
        values = chance.normal(size=30)[day] + chance.normal(size=600) * 0.5  # true mean 0
        for kind, groups in (("day", day), ("row", np.arange(600))):
            draws = draw_groups(groups, resamples=200, seed=seed)
            found = estimate(float(values.mean()), draws.rate(values), draws, 0.9)
            assert found.low is not None
            assert found.high is not None
            covered[kind] += found.low <= 0 <= found.high
    assert 170 <= covered["day"] <= 192  # 90 % of 200, give or take 2.5 standard errors
    assert covered["row"] < 110


def test_a_mean_that_is_worse_by_the_margin_is_rarely_believed_on_twenty_skewed_days() -> None:
    chance = np.random.default_rng(1)
    believed = 0
    for seed in range(400):
        values = -(chance.exponential(size=20))  # true mean -1, with a long tail below
        draws = draw_groups(np.arange(20), resamples=200, seed=seed)
        found = estimate(float(values.mean()), draws.rate(values), draws, 0.9)
        believed += (found.low or 0) > -1
    assert believed <= 0.11 * 400  # the percentile interval alone: 0.13
