"""The label-free estimate: right while chances hold, and blind to a concept that moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.isotonic import IsotonicRegression

from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.monitoring.estimate import ESTIMATED, calibrate, expect, expected_auc


def world(rows: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances, labels drawn from them, and scores that exaggerate."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(shift, 1.2, rows)
    chances = 1 / (1 + np.exp(-log_odds))
    labels = (chance.random(rows) < chances) * 1.0
    return chances, labels, 1 / (1 + np.exp(-1.7 * log_odds))


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_under_covariate_shift_the_estimate_is_what_labels_say_later(shift: float) -> None:
    _, labels, scores = world(40_000, 1)
    _, truth, live = world(40_000, 2, shift)
    found = expect(live, calibrate(scores, labels)(live), 0.5)
    for metric in ESTIMATED:
        assert found[metric] == pytest.approx(measure(metric, truth, live, 0.5), abs=0.02), metric


def test_a_concept_that_moved_is_not_seen() -> None:
    """The assumption that is printed beside the estimate: chances given the inputs stay."""
    _, labels, scores = world(40_000, 1)
    _, truth, live = world(40_000, 2)
    found = expect(live, calibrate(scores, labels)(live), 0.5)
    assert found["roc_auc"] - measure("roc_auc", 1 - truth, live, 0.5) > 0.4


def test_the_calibration_is_the_isotonic_fit() -> None:
    _, labels, scores = world(500, 3)
    scores = np.round(scores, 2)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    assert calibrate(scores, labels)(scores) == pytest.approx(oracle.predict(scores))


def test_certain_chances_give_the_auc_of_the_labels() -> None:
    labels = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    scores = np.array([0.1, 0.3, 0.3, 0.2, 0.9])
    assert expected_auc(scores, labels) == pytest.approx(measure("roc_auc", labels, scores, 0.5))


@given(hnp.arrays(np.float64, st.integers(2, 50), elements=st.floats(0.01, 0.99)))
def test_an_expected_auc_is_a_share(chances: np.ndarray) -> None:
    assert 0.0 <= expected_auc(chances, chances) <= 1.0 + 1e-12


def test_no_answers_have_no_estimate() -> None:
    assert expect(np.empty(0), np.empty(0), 0.5) == {}
