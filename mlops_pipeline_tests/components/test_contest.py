"""Which candidate goes on to the test's rows."""

import math

import pytest

from mlops_pipeline.components.contest import best_of
from mlops_pipeline.errors import EvaluationError


def test_the_best_goes_on_in_the_metrics_own_direction() -> None:
    points = {"trees": 0.5, "network": 0.4}
    assert best_of("log_loss", points) == "network"
    assert best_of("roc_auc", points) == "trees"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_never_wins(odd: float) -> None:
    assert best_of("log_loss", {"broken": odd, "trees": 0.5}) == "trees"
    assert best_of("roc_auc", {"trees": 0.5, "broken": odd}) == "trees"


def test_of_equals_the_first_in_the_contract_goes_on() -> None:
    assert best_of("log_loss", {"trees": 0.5, "network": 0.5}) == "trees"


def test_no_finite_score_is_told_with_what_was_seen() -> None:
    with pytest.raises(EvaluationError, match=r"by log_loss on the validation rows: .*nan"):
        best_of("log_loss", {"trees": math.nan})
