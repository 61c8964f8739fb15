"""The maturity curve: delays that were seen, and predictions that still wait."""

import numpy as np
import pytest

from mlops_pipeline.monitoring.maturity import learn_maturity

NAN = float("nan")


def test_where_all_labels_came_the_curve_is_their_distribution() -> None:
    curve = learn_maturity(np.full(4, 100.0), np.array([1.0, 2.0, 2.0, 10.0]))
    assert curve.hours == (1.0, 2.0, 10.0)
    assert curve.share == pytest.approx((0.25, 0.75, 1.0))
    assert (curve.age(0.5), curve.age(0.95)) == (2.0, 10.0)


def test_a_young_prediction_says_nothing_of_later_ages() -> None:
    """By hand: at 1 h one of four comes; two leave at age 2; at 10 h the last one comes."""
    curve = learn_maturity(np.array([50.0, 50.0, 2.0, 2.0]), np.array([1.0, 10.0, NAN, NAN]))
    assert curve.share == pytest.approx((0.25, 1.0))


def test_old_predictions_without_a_label_lower_the_ceiling_not_the_age() -> None:
    curve = learn_maturity(np.full(4, 99.0), np.array([1.0, 3.0, 3.0, NAN]))
    assert curve.ceiling == pytest.approx(0.75)
    assert curve.age(0.95) == 3.0


def test_the_curve_finds_a_known_delay_though_half_the_labels_are_still_out() -> None:
    """Exponential delays of mean 10 h, seen at ages of 0 to 20 h: counting only what came would
    find a quarter less."""
    chance = np.random.default_rng(1)
    ages, delays = chance.uniform(0, 20, 20_000), chance.exponential(10.0, 20_000)
    curve = learn_maturity(ages, np.where(delays <= ages, delays, NAN))
    at = np.searchsorted(np.array(curve.hours), 10.0)
    assert curve.share[at] == pytest.approx(1 - np.exp(-1), abs=0.02)


def test_without_labels_nothing_is_learnt() -> None:
    curve = learn_maturity(np.ones(3), np.full(3, NAN))
    assert (curve.age(0.9), curve.ceiling, curve.waiting) == (None, 0.0, 3)
