"""Which candidate goes on to the test's rows."""

import math
from pathlib import Path

import pytest

from mlops_pipeline.components.contest import best_of, require_same_classes
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline_tests.models import arrival_class, arrival_delay


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


def test_a_champion_of_other_classes_or_in_another_order_cannot_be_compared() -> None:
    contract, numbers = (
        load_contract(Path(str(model.__file__)).with_name("contract.yaml"))
        for model in (arrival_class, arrival_delay)
    )
    turned = contract.target.model_copy(update={"classes": contract.classes[::-1]})
    other = contract.model_copy(update={"target": turned})

    require_same_classes(contract, contract, "3")
    with pytest.raises(EvaluationError, match=r"version 3 answers very_late, late, on_time; the c"):
        require_same_classes(contract, other, "3")
    with pytest.raises(EvaluationError, match="version 3 answers a regression answer; the candid"):
        require_same_classes(contract, numbers, "3")
