"""Answers that are too sure are drawn back, and the model's own files carry it."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.evaluation.metrics import log_loss, roc_auc
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.calibration import IDENTITY, fit_platt
from mlops_pipeline.training.protocols import Model
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import fit, load

SURE: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_boost_round": 200, "min_data_in_leaf": 2, "learning_rate": 0.3},
    "torch": {"epochs": 60, "hidden": [64], "batch_size": 32, "learning_rate": 0.03},
}


def noisy(seed: int, count: int = 400) -> LabelledRows:
    """Rows whose answer is mostly chance, so that a model that learns them by heart is too sure."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(count, 3))
    labels = (chance.random(count) < expit(values[:, 0])).astype(float)
    return LabelledRows(FeatureMatrix(("a", "b", "c"), values, (0, 0, 0)), labels, np.arange(count))


def fitted(trainer: str, *, calibrate: bool) -> Model:
    """A model that learnt too much, calibrated or not."""
    candidate = Candidate.model_validate(
        {"name": "x", "trainer": trainer, "params": {**SURE[trainer], "calibrate": calibrate}}
    )
    return fit(candidate, noisy(0), noisy(1, 3000), seed=1)


def test_the_scaling_that_was_planted_is_found() -> None:
    chance = np.random.default_rng(0)
    odds = chance.normal(size=200_000)
    labels = (chance.random(200_000) < expit(0.5 * odds - 1)).astype(float)
    found = fit_platt(labels, expit(odds))
    assert (found.slope, found.intercept) == pytest.approx((0.5, -1.0), abs=0.02)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([1.0, 1.0], [0.2, 0.8]),  # one label alone
        ([0.0, 1.0], [0.5, 0.5]),  # nothing to scale
        ([1.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.8, 0.9]),  # the wrong way round
    ],
)
def test_rows_that_cannot_say_change_nothing(labels: list[float], scores: list[float]) -> None:
    assert fit_platt(np.array(labels), np.array(scores)) == IDENTITY


@pytest.mark.parametrize("trainer", sorted(SURE))
def test_a_model_that_is_too_sure_is_drawn_back_and_keeps_its_order(trainer: str) -> None:
    plain, calibrated = fitted(trainer, calibrate=False), fitted(trainer, calibrate=True)
    slope, shift = (calibrated.facts()[f"calibration_{n}"] for n in ("slope", "intercept"))
    assert isinstance(slope, float)
    assert isinstance(shift, float)
    assert slope < 0.8
    asked = noisy(2, 3000)
    before, after = (m.predict(asked.matrix.values) for m in (plain, calibrated))
    assert log_loss(asked.labels, after) < log_loss(asked.labels, before)
    assert roc_auc(asked.labels, after) == pytest.approx(roc_auc(asked.labels, before), abs=1e-4)
    assert logit(after) == pytest.approx(slope * logit(before) + shift, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("trainer", sorted(SURE))
def test_the_native_files_carry_it_with_equal_bytes_each_time(trainer: str) -> None:
    first, second = fitted(trainer, calibrate=True), fitted(trainer, calibrate=True)
    assert first.files() == second.files()
    assert set(first.files()) == set(fitted(trainer, calibrate=False).files())
    values = noisy(2).matrix.values
    assert (load(trainer, first.files()).predict(values) == first.predict(values)).all()


@pytest.mark.parametrize("trainer", sorted(SURE))
def test_calibration_without_validation_rows_is_refused(trainer: str) -> None:
    none = noisy(1).only(np.zeros(400, dtype=bool))
    candidate = Candidate.model_validate(
        {"name": "x", "trainer": trainer, "params": {"calibrate": True}}
    )
    with pytest.raises(TrainingError, match="calibrate"):
        fit(candidate, noisy(0), none, seed=0)
