import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.data.distribution import noise_floor, psi, shift

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_the_index_of_two_shares_is_that_of_the_formula() -> None:
    before = pd.Series(["x"] * 50 + ["y"] * 50)
    now = pd.Series(["x"] * 80 + ["y"] * 20)
    p, q = 50.5 / 101, 80.5 / 101
    expected = (q - p) * math.log(q / p) + ((1 - q) - (1 - p)) * math.log((1 - q) / (1 - p))
    assert psi(before, now) == pytest.approx(expected)
    assert expected == pytest.approx(0.407, abs=1e-3)


@settings(deadline=None)
@given(FLOATS)
def test_equal_samples_have_no_shift(values: list[float]) -> None:
    sample = pd.Series(values)
    assert psi(sample, sample[::-1]) == 0


@settings(deadline=None)
@given(FLOATS, FLOATS)
def test_the_index_is_never_negative(one: list[float], other: list[float]) -> None:
    assert psi(pd.Series(one), pd.Series(other)) >= 0


def test_a_move_by_one_deviation_is_large() -> None:
    rng = np.random.default_rng(1)
    before = pd.Series(rng.normal(size=5000))
    assert psi(before, pd.Series(rng.normal(size=5000))) < 0.02
    assert psi(before, before + 1) > 0.8


def test_on_equal_distributions_the_index_is_its_noise_on_average() -> None:
    rng = np.random.default_rng(2)
    found = [
        psi(pd.Series(rng.normal(size=400)), pd.Series(rng.normal(size=400))) for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(noise_floor(10, 400, 400), rel=0.1)
    assert noise_floor(10, 400, 400) == pytest.approx(9 * 2 / 400)


def test_a_new_category_is_a_shift() -> None:
    before = pd.Series(["x"] * 100)
    assert psi(before, pd.Series(["x"] * 80 + ["new"] * 20)) > 0.25


def test_a_constant_number_that_falls_is_a_shift() -> None:
    assert psi(pd.Series([5.0] * 100), pd.Series([4.0] * 100)) > 1


def test_numbers_of_few_values_are_compared_value_by_value() -> None:
    found = shift(pd.Series([0.0, 1.0] * 50), pd.Series([0.0, 0.5] * 50))
    assert found.cells == 3
    assert found.psi > 1


def test_missing_values_are_told_apart_from_moved_ones() -> None:
    before = pd.Series([1.0, 2.0] * 50)
    found = shift(before, pd.concat([before, pd.Series([np.nan] * 100)], ignore_index=True))
    assert found.psi == 0
    assert found.null_shift == 0.5


def test_a_sample_without_values_is_infinitely_far() -> None:
    empty = pd.Series([np.nan] * 3)
    assert psi(pd.Series([1.0]), empty) == math.inf
    assert psi(empty, empty) == 0
    assert math.isnan(shift(pd.Series([1.0]), pd.Series([], dtype=float)).null_shift)


def test_the_excess_is_what_noise_does_not_explain() -> None:
    found = shift(pd.Series(["x"] * 10 + ["y"] * 10), pd.Series(["x"] * 11 + ["y"] * 9))
    assert 0 < found.psi < found.noise
    assert found.excess == 0
