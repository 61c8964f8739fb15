"""The cheap baseline: scikit-learn's answer, without its size."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.evaluation.metrics import log_loss, roc_auc
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.linear import LinearTrainer
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import fit_baseline, load
from mlops_pipeline_tests.training.rows import learnable


def test_numbers_alone_get_scikit_learns_weights() -> None:
    chance = np.random.default_rng(0)
    values = chance.normal(size=(800, 3))
    labels = (chance.random(800) < 1 / (1 + np.exp(-(values @ [1.0, -2.0, 0.0])))).astype(float)
    rows = LabelledRows(FeatureMatrix(("a", "b", "c"), values, (0, 0, 0)), labels, np.arange(800))
    model = LinearTrainer().fit(rows, rows, params={"l2": 0.0}, seed=0)
    free = LogisticRegression(C=np.inf).fit(values, labels)
    assert model.predict(values) == pytest.approx(free.predict_proba(values)[:, 1], abs=2e-3)
    importance = model.importance()
    assert max(importance, key=lambda name: importance[name]) == "b"


def test_categories_and_missing_values_are_learnt() -> None:
    seen, asked = learnable(2000), learnable(2000, seed=1)
    model = fit_baseline(seen, seen)
    scores = model.predict(asked.matrix.values)
    assert roc_auc(asked.labels, scores) > 0.8
    assert log_loss(asked.labels, scores) < 0.6
    odd = np.array([[np.nan] * 3, [99.0, 0.0, 0.0], [-1.0, np.inf, -np.inf]])
    assert np.isfinite(model.predict(odd)).all()


def test_it_fits_to_the_same_bytes_and_reads_back() -> None:
    first, second = fit_baseline(learnable(), learnable()), fit_baseline(learnable(), learnable())
    assert first.files() == second.files()
    again = load("linear", first.files())
    values = learnable().matrix.values
    assert (again.predict(values) == first.predict(values)).all()
    assert again.feature_names == ("kind", "size", "noise")
    assert first.facts()["device"] == "cpu"


def test_what_is_no_linear_model_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"is one file linear\.json"):
        load("linear", {"x": b""})
    with pytest.raises(TrainingError, match=r"linear\.json is no linear model"):
        load("linear", {"linear.json": b"{}"})
    with pytest.raises(TrainingError, match="linear: parameter l3=1: unknown"):
        LinearTrainer().check({"l3": 1})
