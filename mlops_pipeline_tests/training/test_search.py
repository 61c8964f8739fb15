"""A search is seeded, sees no test rows, and never leaves with worse than it came."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.search import search
from mlops_pipeline.training.table import fit
from mlops_pipeline_tests.training.rows import learnable

SPACE: dict[str, Any] = {
    "num_leaves": {"low": 2, "high": 15, "whole": True},
    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
    "lambda_l2": {"choices": [0.0, 1.0]},
}


def candidate(trials: int = 3, **space: Any) -> Candidate:
    """Small trees with a search."""
    return Candidate.model_validate(
        {
            "name": "trees",
            "trainer": "lightgbm",
            "params": {"num_boost_round": 5, "min_data_in_leaf": 5},
            "search": {"trials": trials, "space": space or SPACE},
        }
    )


def test_equal_seeds_try_the_same_and_the_best_becomes_the_candidates_own() -> None:
    asked = candidate()
    found, trials = search(asked, learnable(), learnable(seed=1), seed=3)
    assert (found, trials) == search(asked, learnable(), learnable(seed=1), seed=3)
    assert len(trials) == 4
    assert trials[0].params == asked.params
    assert found.params == min(trials, key=lambda t: t.loss).params
    for trial in trials[1:]:
        assert 2 <= trial.params["num_leaves"] <= 15
        assert isinstance(trial.params["num_leaves"], int)
        assert trial.params["lambda_l2"] in (0.0, 1.0)
        assert trial.params["num_boost_round"] == 5


def test_what_was_found_is_fitted_again_without_a_search() -> None:
    found, _ = search(candidate(), learnable(), learnable(seed=1), seed=3)
    plain = Candidate(name="trees", trainer="lightgbm", params=found.params)
    files = [fit(c, learnable(), learnable(seed=1), seed=3).files() for c in (found, plain)]
    assert files[0] == files[1]


def test_a_candidate_without_a_search_is_left_alone() -> None:
    plain = Candidate(name="trees", trainer="lightgbm")
    assert search(plain, learnable(), learnable(), seed=0) == (plain, ())


def test_a_search_without_validation_rows_is_refused() -> None:
    none = learnable().only(np.zeros(600, dtype=bool))
    with pytest.raises(TrainingError, match="candidate trees: a search needs validation rows"):
        search(candidate(), learnable(), none, seed=0)


@pytest.mark.parametrize(
    ("space", "what"),
    [
        ({}, "say either low and high, or choices"),
        ({"low": 1}, "say either low and high, or choices"),
        ({"low": 1, "high": 2, "choices": [1]}, "say either low and high, or choices"),
        ({"low": 2, "high": 1}, "low 2 must be below high 1"),
        ({"low": 0, "high": 1, "log": True}, "log needs low above 0"),
    ],
)
def test_a_space_that_says_nothing_is_refused(space: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        candidate(num_leaves=space)
