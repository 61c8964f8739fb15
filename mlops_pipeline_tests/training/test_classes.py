"""Every trainer learns classes, calibrates them by one temperature, and says what it cannot do."""

from typing import Any

import numpy as np
import pytest

from mlops_pipeline.contract.tasks import Question
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.evaluation.metrics_multiclass import log_loss
from mlops_pipeline.training.calibration import IDENTITY, fit_temperature
from mlops_pipeline.training.protocols import Explaining
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import trainer
from mlops_pipeline_tests.training.rows import learnable

SIZES = Question("multiclass", classes=("small", "middle", "large"))
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_boost_round": 30, "num_leaves": 7, "min_data_in_leaf": 10},
    "torch": {"epochs": 30, "hidden": (16,), "batch_size": 64, "learning_rate": 0.02},
    "linear": {},
}


def sized(*, seed: int = 0, noise: float = 0.5) -> LabelledRows:
    """Rows whose class is that of `size` and noise, cut into three equal parts."""
    rows = learnable(800, seed=seed)
    chance = np.random.default_rng(seed + 100)
    size = np.nan_to_num(rows.matrix.column("size")) + chance.normal(0, noise, len(rows))
    labels = np.searchsorted(np.quantile(size, (1 / 3, 2 / 3)), size) * 1.0
    return LabelledRows(rows.matrix, labels, rows.groups, SIZES)


@pytest.mark.parametrize("name", PARAMS)
def test_the_classes_are_learnt_as_probabilities(name: str) -> None:
    train, judged = sized(), sized(seed=1)

    model = trainer(name).fit(train, judged, params=PARAMS[name], seed=3)
    scores = model.predict(judged.matrix.values)

    assert scores.shape == (800, 3)
    assert scores.sum(axis=1) == pytest.approx(np.ones(800))
    assert (scores.argmax(axis=1) == judged.labels).mean() > 0.6
    assert log_loss(judged.labels, scores) < 0.8 * np.log(3)
    assert max(model.importance(), key=lambda feature: model.importance()[feature]) == "size"


@pytest.mark.parametrize("name", PARAMS)
def test_the_same_rows_give_the_same_bytes_and_loading_the_same_probabilities(name: str) -> None:
    rows = sized()

    first, second = (trainer(name).fit(rows, rows, params=PARAMS[name], seed=3) for _ in range(2))
    loaded, values = trainer(name).load(first.files()), rows.matrix.values

    assert first.files() == second.files()
    assert (loaded.predict(values) == first.predict(values)).all()
    assert loaded.predict(values[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_a_temperature_is_folded_into_the_files_and_moves_no_answer(name: str) -> None:
    train, judged = sized(), sized(seed=1)
    sure = {**PARAMS[name], "num_boost_round": 150} if name == "lightgbm" else PARAMS[name]

    plain = trainer(name).fit(train, judged, params=sure, seed=3)
    cooled = trainer(name).fit(train, judged, params={**sure, "calibrate": True}, seed=3)
    before, after = (model.predict(judged.matrix.values) for model in (plain, cooled))

    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() > 0.995
    assert log_loss(judged.labels, after) < log_loss(judged.labels, before)
    assert trainer(name).load(cooled.files()).predict(judged.matrix.values) == pytest.approx(after)


def test_the_temperature_is_that_by_which_the_rows_are_too_sure() -> None:
    chance = np.random.default_rng(5)
    odds = chance.normal(0, 1, (20_000, 3))
    true = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    labels = (chance.random(20_000)[:, None] > true.cumsum(axis=1)).sum(axis=1) * 1.0
    sure = true**2 / (true**2).sum(axis=1, keepdims=True)

    assert fit_temperature(labels, sure).slope == pytest.approx(0.5, abs=0.03)
    assert fit_temperature(labels, np.full((20_000, 3), 1 / 3)) == IDENTITY


def test_what_a_feature_adds_is_told_of_the_likeliest_class() -> None:
    rows = sized()
    model = trainer("lightgbm").fit(rows, rows, params=PARAMS["lightgbm"], seed=3)
    assert isinstance(model, Explaining)

    added = model.attributions(rows.matrix.values)

    assert added.shape == rows.matrix.values.shape
    assert np.abs(added).mean(axis=0).argmax() == rows.matrix.names.index("size")


@pytest.mark.parametrize("name", PARAMS)
def test_a_class_that_training_never_saw_is_named(name: str) -> None:
    rows = sized()
    train = rows.only(rows.labels != 1)

    with pytest.raises(TrainingError, match="and none is middle: a model cannot learn a class"):
        trainer(name).fit(train, rows, params=PARAMS[name], seed=3)


def test_a_label_that_is_the_place_of_no_class_is_named() -> None:
    rows = sized()

    with pytest.raises(TrainingError, match=r"row 0 has the label .*3\.0.*, not the place of a c"):
        rows.relabelled(np.full(len(rows), 3.0))


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_classes_have_one_loss(name: str) -> None:
    rows = sized()

    with pytest.raises(TrainingError, match="a multiclass answer has one loss; leave it out"):
        trainer(name).fit(rows, rows, params={**PARAMS[name], "loss": "l1"}, seed=3)
