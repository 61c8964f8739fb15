"""What every trainer in the table promises; a new trainer is held to it by its line there."""

from typing import Any

import numpy as np
import pytest

from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.protocols import Model
from mlops_pipeline.training.table import TRAINERS, fit, load
from mlops_pipeline_tests.training.rows import NAMES, learnable, rows

PARAMS: dict[str, dict[str, Any]] = {
    "linear": {},
    "lightgbm": {"num_boost_round": 20, "num_leaves": 7, "min_data_in_leaf": 5},
    "torch": {"epochs": 12, "hidden": [16], "batch_size": 64, "learning_rate": 0.02},
}
pytestmark = pytest.mark.parametrize("trainer", sorted(TRAINERS))


def fitted(trainer: str, *, seed: int = 1, **params: Any) -> Model:
    """A model of the rule, with changed parameters."""
    candidate = Candidate.model_construct(
        name="tried", trainer=trainer, params={**PARAMS[trainer], **params}
    )
    return fit(candidate, learnable(seed=0), learnable(seed=1), seed=seed)


def test_the_rule_is_learnt(trainer: str) -> None:
    judged = learnable(seed=2)
    scores = fitted(trainer).predict(judged.matrix.values)
    assert scores.shape == (len(judged),)
    assert scores.dtype == np.float64
    assert ((scores > 0) & (scores < 1)).all()
    assert ((scores > 0.5) == (judged.labels == 1)).mean() > 0.85


def test_the_same_seed_gives_the_same_bytes(trainer: str) -> None:
    assert fitted(trainer).files() == fitted(trainer).files()


def test_a_stored_model_predicts_the_same_and_stores_the_same(trainer: str) -> None:
    model, values = fitted(trainer), learnable(seed=2).matrix.values
    again = load(trainer, model.files())
    assert (again.trainer, again.feature_names) == (trainer, NAMES)
    assert np.array_equal(again.predict(values), model.predict(values))
    assert again.files() == model.files()
    assert again.importance() == model.importance()
    assert again.facts() == {}


def test_files_hold_no_pickle(trainer: str) -> None:
    for content in fitted(trainer).files().values():
        assert not content.startswith((b"\x80", b"PK"))  # pickle, and torch's zip of pickles


def test_missing_values_and_unknown_codes_get_an_answer(trainer: str) -> None:
    odd = np.array([[np.nan] * 3, [99.0, 0.0, 0.0], [-1.0, np.inf, -np.inf]])
    scores = fitted(trainer).predict(odd)
    assert np.isfinite(scores).all()


def test_no_rows_get_no_answers(trainer: str) -> None:
    assert fitted(trainer).predict(np.empty((0, 3))).shape == (0,)


def test_a_row_of_the_wrong_width_is_refused(trainer: str) -> None:
    with pytest.raises(TrainingError, match=r"values have shape \(1, 2\); the model takes"):
        fitted(trainer).predict(np.zeros((1, 2)))


def test_importance_is_shares_that_find_the_rule(trainer: str) -> None:
    importance = fitted(trainer).importance()
    assert sum(importance.values()) == pytest.approx(1)
    assert min(importance, key=lambda name: importance[name]) == "noise"


def test_facts_tell_the_device_and_the_time(trainer: str) -> None:
    facts = fitted(trainer).facts()
    assert facts["device"] == "cpu"
    assert facts["threads"] == 1
    known = {"lightgbm": 20, "torch": 12}
    assert facts["rounds"] == known.get(trainer, facts["rounds"])
    assert facts["rows"] == 600
    assert isinstance(facts["seconds"], float)


def test_an_unknown_parameter_names_candidate_and_parameter(trainer: str) -> None:
    with pytest.raises(TrainingError, match=f"candidate tried: {trainer}: parameter leafs=3: unkn"):
        fitted(trainer, leafs=3)


def test_one_label_alone_cannot_be_learnt(trainer: str) -> None:
    one = rows(learnable().matrix.values, np.ones(600))
    with pytest.raises(TrainingError, match="600 training rows with 600 positives"):
        fit(Candidate.model_construct(name="x", trainer=trainer, params={}), one, one, seed=0)


def test_early_stopping_reads_the_validation_rows_only_when_asked(trainer: str) -> None:
    if trainer == "linear":
        pytest.skip("a convex fit has no rounds to stop")
    stop = {"lightgbm": "early_stopping_rounds", "torch": "early_stopping_epochs"}[trainer]
    length = {"lightgbm": {"num_boost_round": 300}, "torch": {"epochs": 40}}[trainer]
    rounds = fitted(trainer, **{stop: 2}, **length, learning_rate=0.3).facts()["rounds"]
    assert isinstance(rounds, int)
    assert 1 <= rounds < next(iter(length.values()))
    none = learnable().only(np.zeros(600, dtype=bool))
    candidate = Candidate.model_construct(name="x", trainer=trainer, params={stop: 2})
    with pytest.raises(TrainingError, match=f"{stop} stops on validation rows and there are none"):
        fit(candidate, learnable(), none, seed=0)


def test_files_of_another_trainer_are_refused(trainer: str) -> None:
    with pytest.raises(TrainingError, match="not "):
        load(trainer, {"weights.bin": b"?"})


def test_files_that_were_broken_are_refused(trainer: str) -> None:
    broken = dict.fromkeys(fitted(trainer).files(), b"{}")
    with pytest.raises(
        TrainingError, match=r"is no LightGBM model|describes no network|is no linear model"
    ):
        load(trainer, broken)
