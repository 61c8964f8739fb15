"""Weighted metrics: with equal weights the usual ones; otherwise a row counts as often as told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.evaluation.intervals import draw_groups
from mlops_pipeline.evaluation.measures import METRICS
from mlops_pipeline.evaluation.measures import measure as plain
from mlops_pipeline.monitoring.weighted import draw, measure

CHANCE = np.random.default_rng(4)
LABELS = (CHANCE.random(200) < 0.3) * 1.0
SCORES = np.round(np.clip(0.3 * LABELS + 0.5 * CHANCE.random(200), 0, 1), 2)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_weights_change_nothing(metric: str) -> None:
    found = measure(metric, LABELS, SCORES, np.full(200, 2.5), 0.4)
    assert found == pytest.approx(plain(metric, LABELS, SCORES, 0.4))


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "ece"])
@given(seed=st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_a_row_of_weight_three_counts_as_three(metric: str, seed: int) -> None:
    times = np.random.default_rng(seed).integers(1, 4, 200)
    repeated = plain(metric, np.repeat(LABELS, times), np.repeat(SCORES, times), 0.4)
    assert measure(metric, LABELS, SCORES, times * 1.0, 0.4) == pytest.approx(repeated)


def test_labels_that_were_sampled_by_score_are_set_right_by_their_weights() -> None:
    """Half of the sure answers and all others were labelled: the plain accuracy is too low."""
    chance = np.random.default_rng(5)
    scores = chance.random(20_000)
    labels = (chance.random(20_000) < scores) * 1.0
    chosen_with = np.where(np.abs(scores - 0.5) > 0.3, 0.1, 1.0)
    chosen = chance.random(20_000) < chosen_with
    whole = plain("accuracy", labels, scores, 0.5)
    kept = labels[chosen], scores[chosen]
    assert plain("accuracy", *kept, 0.5) < whole - 0.05
    found = measure("accuracy", *kept, 1 / chosen_with[chosen], 0.5)
    assert found == pytest.approx(whole, abs=0.015)


def test_draws_spread_about_the_point() -> None:
    draws = draw_groups(np.arange(200) // 10, resamples=200, seed=0)
    drawn = draw("roc_auc", draws, LABELS, SCORES, np.ones(200), 0.4)
    point = plain("roc_auc", LABELS, SCORES, 0.4)
    assert drawn.min() < point < drawn.max()


def test_no_rows_have_no_metric() -> None:
    assert np.isnan(measure("roc_auc", np.empty(0), np.empty(0), np.empty(0), 0.5))
