"""Every trainer learns numbers and quantiles of numbers, and says what it cannot do."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops_pipeline.contract.tasks import YES_OR_NO, Question
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.objectives import objective_of
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import trainer
from mlops_pipeline_tests.training.rows import learnable

MEAN, NINE_TENTHS = Question("regression"), Question("regression", 0.9)
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_boost_round": 60, "num_leaves": 7, "min_data_in_leaf": 10},
    "torch": {"epochs": 30, "hidden": (16,), "batch_size": 64, "learning_rate": 0.02},
    "linear": {},
}


def minutes(question: Question, *, seed: int = 0) -> LabelledRows:
    """Rows whose number is 100, and 40 for each unit of `size`, and noise of 20."""
    rows = learnable(800, seed=seed)
    chance = np.random.default_rng(seed + 100)
    size = np.nan_to_num(rows.matrix.column("size"))
    labels = 100.0 + 40.0 * size + chance.normal(0, 20, len(rows))
    return LabelledRows(rows.matrix, labels, rows.groups, question)


@pytest.mark.parametrize("name", PARAMS)
def test_a_number_is_learnt_in_its_own_unit(name: str) -> None:
    train, judged = minutes(MEAN), minutes(MEAN, seed=1)

    model = trainer(name).fit(train, judged, params=PARAMS[name], seed=3)
    answers = model.predict(judged.matrix.values)

    assert np.std(judged.labels - answers) < 0.7 * np.std(judged.labels)
    assert abs(np.mean(judged.labels - answers)) < 5
    assert max(model.importance(), key=lambda feature: model.importance()[feature]) == "size"


@pytest.mark.parametrize("name", PARAMS)
def test_a_quantile_is_above_its_share_of_rows(name: str) -> None:
    train, judged = minutes(NINE_TENTHS), minutes(NINE_TENTHS, seed=1)

    answers = trainer(name).fit(train, judged, params=PARAMS[name], seed=3)
    covered = (judged.labels <= answers.predict(judged.matrix.values)).mean()

    assert 0.83 < covered < 0.96


@pytest.mark.parametrize("name", PARAMS)
def test_the_same_rows_give_the_same_bytes_and_loading_the_same_numbers(name: str) -> None:
    rows = minutes(MEAN)

    first, second = (
        trainer(name).fit(rows, rows, params=PARAMS[name], seed=3).files() for _ in range(2)
    )
    loaded = trainer(name).load(first)

    assert first == second
    fitted = trainer(name).fit(rows, rows, params=PARAMS[name], seed=3)
    values = rows.matrix.values
    assert (loaded.predict(values) == fitted.predict(values)).all()
    assert (loaded.predict(values[:1]) == fitted.predict(values)[:1]).all()


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_absolute_error_is_less_moved_by_a_few_wild_numbers(name: str) -> None:
    rows = minutes(MEAN)
    wild = rows.labels.copy()
    wild[::20] += 2000
    train = rows.relabelled(wild)

    squared, absolute = (
        trainer(name).fit(train, rows, params={**PARAMS[name], "loss": loss}, seed=3)
        for loss in ("l2", "l1")
    )

    off = [
        abs(np.mean(model.predict(rows.matrix.values) - rows.labels))
        for model in (squared, absolute)
    ]
    assert off[1] < 0.5 * off[0]


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_numbers_cannot_be_calibrated_as_probabilities(name: str) -> None:
    rows = minutes(MEAN)

    with pytest.raises(TrainingError, match="calibrate: a regression answer is no probability"):
        trainer(name).fit(rows, rows, params={**PARAMS[name], "calibrate": True}, seed=3)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [(YES_OR_NO, "a binary answer has one loss"), (NINE_TENTHS, "a quantile has one loss")],
)
def test_a_loss_is_chosen_only_for_means_of_numbers(question: Question, wanted: str) -> None:
    with pytest.raises(TrainingError, match=f"parameter loss='l1': {wanted}; leave it out"):
        objective_of(question, "l1")


def test_numbers_that_do_not_differ_teach_nothing() -> None:
    rows = minutes(MEAN)
    same = replace(rows, labels=np.full(len(rows), 7.0))

    with pytest.raises(TrainingError, match="all have the label 7: there is nothing to learn"):
        trainer("lightgbm").fit(same, rows, params={}, seed=3)


def test_a_label_that_is_no_number_is_named() -> None:
    rows = minutes(MEAN)

    with pytest.raises(TrainingError, match=r"row 0 has the label .*nan.*, not a finite number"):
        rows.relabelled(np.full(len(rows), np.nan))
