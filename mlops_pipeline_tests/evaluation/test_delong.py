"""DeLong's interval: right by hand, right as often as it says, only for rows by themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.evaluation.delong import auc_estimates, delong
from mlops_pipeline.evaluation.metrics import roc_auc
from mlops_pipeline_tests.evaluation.cases import contract, evaluated, rows


def test_four_rows_by_hand() -> None:
    labels = np.array([1.0, 1.0, 0.0, 0.0])
    auc, covariance = delong(labels, [np.array([0.9, 0.4, 0.5, 0.1])])
    assert auc[0] == 0.75  # three of four pairs
    # shares won are 1 and 1/2, shares lost 1/2 and 1: both have variance 1/8
    assert covariance[0, 0] == pytest.approx((1 / 8) / 2 + (1 / 8) / 2)


@given(st.integers(0, 2**31))
def test_the_point_is_the_auc_with_ties_as_half(seed: int) -> None:
    chance = np.random.default_rng(seed)
    labels = np.array([0.0, 0.0, 1.0, 1.0, *(chance.random(20) < 0.5)])
    scores = chance.integers(0, 5, 24) / 5
    assert delong(labels, [scores])[0][0] == pytest.approx(roc_auc(labels, scores))


def test_a_model_against_itself_has_no_spread() -> None:
    judged, truth = rows(300)
    gain = auc_estimates(judged.labels, truth, truth, 0.9)[2]
    assert gain is not None
    assert (gain.value, gain.low, gain.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_ninety_in_a_hundred_intervals_hold_the_truth() -> None:
    def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chance = np.random.default_rng(seed)
        labels = (chance.random(count) < 0.3).astype(float)
        base = labels + chance.normal(size=count)
        noisy = [1 / (1 + np.exp(-(base + chance.normal(size=count) * s))) for s in (0.3, 0.5)]
        return labels, noisy[0], noisy[1]

    labels, one, two = drawn(0, 300_000)
    true = roc_auc(labels, one) - roc_auc(labels, two)
    held = 0
    for seed in range(1, 401):
        gain = auc_estimates(*drawn(seed, 300), 0.9)[2]
        assert gain is not None
        held += (gain.low or 0) <= true <= (gain.high or 0)
    assert 0.85 <= held / 400 <= 0.95


def test_it_is_used_only_where_rows_are_independent() -> None:
    judged, truth = rows(1500, days=30)
    by_day = contract(splits={"train_from": "2024-01-01", "group": "day"})
    by_row = contract(splits={"train_from": "2024-01-01", "group": "row"})
    other = np.clip(truth + 0.05 * np.random.default_rng(0).normal(size=1500), 0.01, 0.99)
    found = {}
    for asked in (by_day, by_row):
        found[asked.splits.group] = evaluated(asked, truth, other, judged=judged).metrics["roc_auc"]
    expected = auc_estimates(judged.labels, truth, other, 0.9)
    assert (found["row"].candidate, found["row"].champion, found["row"].gain) == expected
    assert found["day"].candidate != expected[0]


def test_scores_that_are_no_probabilities_have_no_estimate() -> None:
    judged, truth = rows(100)
    broken = np.where(np.arange(100) == 3, np.nan, truth)
    own, _, gain = auc_estimates(judged.labels, broken, truth, 0.9)
    assert own.value is None
    assert gain is not None
    assert gain.value is None
    assert auc_estimates(np.ones(100), truth, None, 0.9)[0].value is None


def test_a_few_rows_of_one_label_give_no_interval() -> None:
    labels = np.array([1.0] * 5 + [0.0] * 50)
    own = auc_estimates(labels, labels * 0.8 + 0.1, None, 0.9)[0]
    assert (own.value, own.low, own.high) == (1.0, None, None)


def test_an_auc_that_lost_no_pair_is_not_certain() -> None:
    labels = np.array([1.0] * 25 + [0.0] * 50)
    own = auc_estimates(labels, labels * 0.8 + 0.1, None, 0.9)[0]
    assert own.low == pytest.approx(0.05 ** (1 / 25))  # 25 disjoint pairs, all won
    assert (own.value, own.high) == (1.0, 1.0)
    worst = auc_estimates(labels, 0.9 - labels * 0.8, None, 0.9)[0]
    assert (worst.value, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.05 ** (1 / 25))


def test_a_high_auc_of_few_rows_is_covered_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        chance = np.random.default_rng(seed)
        labels = np.repeat([1.0, 0.0], [25, 60])
        scores = 1 / (1 + np.exp(-chance.normal(size=85) - 2.5 * labels))
        own = auc_estimates(labels, scores, None, 0.9)[0]
        assert own.low is not None
        held += own.low <= 0.961450 <= (own.high or 0)  # ndtr(2.5 / sqrt(2))
    assert held >= 0.86 * 400
