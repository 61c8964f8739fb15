from math import log

import numpy as np
import pytest
from sklearn import metrics as theirs
from sklearn.calibration import calibration_curve

from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.evaluation import metrics
from mlops_pipeline.evaluation.measures import METRICS, OF_CLASSES, measure

LABELS = np.array([1.0, 0.0, 1.0, 0.0])
SCORES = np.array([0.9, 0.6, 0.6, 0.1])


def test_auc_counts_pairs_and_a_tie_counts_half() -> None:
    # pairs: .9>.6, .9>.1, .6=.6, .6>.1 -> 3.5 of 4
    assert metrics.roc_auc(LABELS, SCORES) == 0.875


def test_average_precision_takes_tied_scores_at_once() -> None:
    # at .9: recall 1/2, precision 1; at .6: recall 1, precision 2/3
    assert metrics.average_precision(LABELS, SCORES) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_log_loss_is_the_mean_of_what_was_given_to_the_truth() -> None:
    given = [0.9, 0.4, 0.6, 0.9]
    assert metrics.log_loss(LABELS, SCORES) == pytest.approx(-sum(map(log, given)) / 4)


def test_a_wrong_certainty_costs_much_but_not_infinity() -> None:
    assert metrics.log_loss(np.array([1.0]), np.array([0.0])) == pytest.approx(-log(1e-15))


def test_brier_is_the_mean_square() -> None:
    assert metrics.brier(LABELS, SCORES) == pytest.approx((0.01 + 0.36 + 0.16 + 0.01) / 4)


def test_accuracy_and_f1_answer_yes_above_the_threshold() -> None:
    assert metrics.accuracy(LABELS, SCORES, 0.5) == 0.75
    assert metrics.f1(LABELS, SCORES, 0.5) == pytest.approx(2 * 2 / (3 + 2))
    assert metrics.accuracy(LABELS, SCORES, 0.6) == 0.75  # 0.6 is not above 0.6
    assert metrics.f1(LABELS, SCORES, 0.6) == pytest.approx(2 * 1 / (1 + 2))


def test_ece_is_the_mean_gap_of_rate_and_score_over_bins() -> None:
    labels, scores = np.array([0.0, 0, 1, 1, 1, 1]), np.array([0.2, 0.2, 0.2, 0.8, 0.8, 0.8])
    # two bins of three rows: |1 - 0.6| and |3 - 2.4|, over six rows
    assert metrics.ece(labels, scores, bins=2) == pytest.approx((0.4 + 0.6) / 6)


def test_calibrated_scores_are_consistent_and_others_are_not() -> None:
    chance = np.random.default_rng(0)
    scores = chance.random(2000)
    labels = (chance.random(2000) < scores).astype(float)
    assert metrics.ece_consistency(labels, scores, draws=200, seed=1) > 0.05
    assert metrics.ece_consistency(labels, scores**2, draws=200, seed=1) == pytest.approx(1 / 201)


@pytest.mark.parametrize("seed", range(3))
def test_all_agree_with_scikit_learn(seed: int) -> None:
    chance = np.random.default_rng(seed)
    scores = np.round(chance.random(400), 2)  # with ties
    labels = (chance.random(400) < scores).astype(float)
    answers = scores > 0.4
    expected = {
        "roc_auc": theirs.roc_auc_score(labels, scores),
        "average_precision": theirs.average_precision_score(labels, scores),
        "log_loss": theirs.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15)),
        "brier": theirs.brier_score_loss(labels, scores),
        "accuracy": theirs.accuracy_score(labels, answers),
        "f1": theirs.f1_score(labels, answers),
    }
    found = {name: measure(name, labels, scores, 0.4) for name in expected}
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_is_that_of_scikit_learns_curve(seed: int) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.random(1500)  # no ties: both cut the same bins of a hundred rows
    labels = (chance.random(1500) < scores**1.5).astype(float)

    observed, told = calibration_curve(labels, scores, n_bins=15, strategy="quantile")

    assert metrics.ece(labels, scores) == pytest.approx(np.abs(observed - told).mean(), abs=2e-3)


@pytest.mark.parametrize("name", TASKS["binary"].metrics)
@pytest.mark.parametrize("score", [np.nan, np.inf, -0.1, 1.1])
def test_a_score_that_is_no_probability_leaves_every_metric_undefined(
    name: str, score: float
) -> None:
    assert np.isnan(measure(name, LABELS, np.array([0.9, score, 0.6, 0.1]), 0.5))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_rows_leave_every_metric_undefined(name: str) -> None:
    assert np.isnan(measure(name, np.empty(0), np.empty(0), 0.5))


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_kind_of_label_has_no_auc(label: float) -> None:
    assert np.isnan(metrics.roc_auc(np.full(4, label), SCORES))


def test_no_positives_have_no_average_precision_and_no_f1() -> None:
    assert np.isnan(metrics.average_precision(np.zeros(4), SCORES))
    assert np.isnan(metrics.f1(np.zeros(4), SCORES, 0.95))


def test_every_metric_that_a_contract_may_name_is_here() -> None:
    of_one = [TASKS["binary"], TASKS["regression"]]
    assert set(METRICS) == {name for task in of_one for name in task.metrics}
    assert set(OF_CLASSES) == set(TASKS["multiclass"].metrics)
