"""Metrics of numeric answers and of several classes: by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from mlops_pipeline.evaluation import metrics_multiclass as many
from mlops_pipeline.evaluation import metrics_numeric as numeric
from mlops_pipeline.evaluation.measures import measure

TRUTH, ANSWERS = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 5.0, 4.0])
LABELS = np.array([0.0, 1.0, 2.0, 1.0])
SCORES = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.6, 0.3], [0.0, 1.0, 0.0]])


def test_numeric_answers_by_hand() -> None:
    assert numeric.mae(TRUTH, ANSWERS) == 0.75
    assert numeric.rmse(TRUTH, ANSWERS) == pytest.approx(np.sqrt(5 / 4))
    assert numeric.r2(TRUTH, ANSWERS) == pytest.approx(1 - 5 / 5)
    assert numeric.pinball(TRUTH, ANSWERS, 0.9) == pytest.approx((0.9 * 1 + 0.1 * 2) / 4)
    assert numeric.quantile_coverage(TRUTH, ANSWERS - 1, ANSWERS + 1) == 0.75


def test_numeric_metrics_that_are_not_defined_are_nan() -> None:
    nothing = np.empty(0)
    for found in (
        numeric.mae(nothing, nothing),
        numeric.rmse(nothing, nothing),
        numeric.r2(nothing, nothing),
        numeric.pinball(nothing, nothing),
        numeric.quantile_coverage(nothing, nothing, nothing),
        numeric.r2(np.ones(3), np.zeros(3)),
    ):
        assert np.isnan(found)


def test_several_classes_by_hand() -> None:
    assert many.accuracy(LABELS, SCORES) == 0.75
    assert many.log_loss(LABELS, SCORES) == pytest.approx(-np.log(0.7 * 0.5 * 0.3) / 4)
    assert many.brier(LABELS, SCORES) == pytest.approx((0.14 + 0.38 + 0.86 + 0.0) / 4)
    assert many.f1(LABELS, SCORES) == pytest.approx((1 + 0.8 + 0) / 3)
    assert many.roc_auc_ovr(LABELS, SCORES) == pytest.approx((1 + 0.75 + 5 / 6) / 3)


def test_several_classes_that_are_not_defined_are_nan() -> None:
    none, nothing = np.empty(0), np.empty((0, 3))
    for metric in (many.accuracy, many.log_loss, many.brier, many.f1, many.confidence_ece):
        assert np.isnan(metric(none, nothing))
    assert np.isnan(many.roc_auc_ovr(np.zeros(4), SCORES))


@pytest.mark.parametrize("seed", range(5))
def test_numeric_metrics_are_scikit_learns(seed: int) -> None:
    chance = np.random.default_rng(seed)
    truth, answers = chance.normal(size=200), chance.normal(size=200)
    assert numeric.mae(truth, answers) == pytest.approx(sk.mean_absolute_error(truth, answers))
    assert numeric.rmse(truth, answers) == pytest.approx(sk.root_mean_squared_error(truth, answers))
    assert numeric.r2(truth, answers) == pytest.approx(sk.r2_score(truth, answers))
    assert numeric.pinball(truth, answers, 0.2) == pytest.approx(
        sk.mean_pinball_loss(truth, answers, alpha=0.2)
    )


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_several_classes_are_scikit_learns(seed: int) -> None:
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 3, 300).astype(float)
    raw = chance.random((300, 3)) + np.eye(3)[labels.astype(int)] * 0.5
    scores = raw / raw.sum(axis=1, keepdims=True)
    assert many.log_loss(labels, scores) == pytest.approx(sk.log_loss(labels, scores))
    assert many.accuracy(labels, scores) == pytest.approx(
        sk.accuracy_score(labels, scores.argmax(axis=1))
    )
    assert many.f1(labels, scores) == pytest.approx(
        sk.f1_score(labels, scores.argmax(axis=1), average="macro")
    )
    assert many.roc_auc_ovr(labels, scores) == pytest.approx(
        sk.roc_auc_score(labels, scores, multi_class="ovr")
    )
    assert 0 <= many.confidence_ece(labels, scores) <= 1


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_contracts_metrics_of_numbers_are_scikit_learns(quantile: float) -> None:
    chance = np.random.default_rng(3)
    truth = chance.normal(20, 40, 500)
    answers = truth + chance.normal(0, 30, 500)

    expected = {
        "mae": sk.mean_absolute_error(truth, answers),
        "rmse": sk.root_mean_squared_error(truth, answers),
        "r2": sk.r2_score(truth, answers),
        "pinball": sk.mean_pinball_loss(truth, answers, alpha=quantile),
        "quantile_coverage": np.mean(truth <= answers),
    }

    found = {name: measure(name, truth, answers, quantile) for name in expected}
    assert found == pytest.approx(expected)
