"""Small samples and many categories raise no alarm by themselves."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from mlops_pipeline.data.distribution import psi
from mlops_pipeline.monitoring.noise import cells_of, limit_of, psi_noise


def normal(rows: int, seed: int) -> "pd.Series[float]":
    """Standard normal numbers."""
    return pd.Series(np.random.default_rng(seed).normal(size=rows))


def test_the_noise_of_psi_is_a_quantile_of_chi_square() -> None:
    assert psi_noise(10, 1000, 1000) == pytest.approx(21.666 * 2 / 1000, rel=1e-4)


def test_psi_of_equal_distributions_exceeds_its_noise_about_once_in_a_hundred() -> None:
    reference = normal(20_000, 0)
    found = [psi(reference, normal(1000, seed)) for seed in range(1, 301)]
    noise = psi_noise(10, 20_000, 1000)
    assert sum(value > noise for value in found) <= 9


def test_wasserstein_of_equal_distributions_stays_below_its_bound() -> None:
    reference = normal(5000, 0)
    deviation = float(reference.std())
    found = [wasserstein_distance(reference, normal(1000, s)) / deviation for s in range(1, 101)]
    limit = limit_of("wasserstein", 0.0, reference, normal(1000, 99), chance=0.05)
    assert np.mean(found) < limit
    assert sum(value > limit for value in found) <= 5


def test_more_columns_share_the_same_false_alarms() -> None:
    reference, current = normal(5000, 0), normal(1000, 1)
    alone = limit_of("psi", 0.1, reference, current, chance=0.05)
    shared = limit_of("psi", 0.1, reference, current, chance=0.05, columns=10)
    assert shared == limit_of("psi", 0.1, reference, current, chance=0.005)
    assert shared > alone
    assert limit_of("ks", 0.05, reference, current, columns=10) == pytest.approx(0.005)


def test_jensen_shannon_adds_its_noise_as_a_divergence() -> None:
    reference = pd.Series(["a", "b"] * 500)
    noise = psi_noise(2, 1000, 1000)
    assert limit_of("jensenshannon", 0.1, reference, reference) == pytest.approx(
        math.sqrt(0.01 + noise / 8)
    )


def test_a_p_value_counts_the_rows_itself() -> None:
    assert limit_of("ks", 0.05, normal(100, 0), normal(100, 1)) == 0.05


def test_one_cell_has_no_noise() -> None:
    assert psi_noise(1, 10, 10) == 0.0


def test_cells_are_values_where_there_are_few() -> None:
    assert cells_of(pd.Series([1.0, 2.0]), pd.Series([2.0, 3.0])) == 3
    assert cells_of(normal(500, 0), normal(524, 1)) == 11


@given(st.integers(2, 200), st.integers(50, 10_000), st.integers(50, 10_000))
def test_more_rows_are_less_noise_and_more_cells_are_more(cells: int, n: int, m: int) -> None:
    assert psi_noise(cells, 2 * n, m) < psi_noise(cells, n, m) < psi_noise(cells + 1, n, m)
