"""A feature is as sensitive, as bound to a purpose and as late as the columns it is made of."""

from typing import Any

import pytest

from mlops_pipeline.contract.columns import Availability, Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.inheritance import inherited, policy_problems, require_allowed
from mlops_pipeline_tests.data import tiny


def made(purpose: str | None = None, **words: dict[str, Any]) -> ModelContract:
    columns = [{**c, **words.get(c["name"], {})} for c in tiny.CONTRACT["columns"]]
    return tiny.contract(columns=columns, purpose=purpose)


def test_the_strictest_word_of_all_columns_is_inherited() -> None:
    contract = made(
        items={"sensitivity": "internal", "purposes": ["staffing", "pricing"]},
        amount={"purposes": ["pricing", "fraud"]},
    )
    each = next(f for f in contract.features.columns if f.name == "each")
    has = inherited(contract, each)
    assert has.columns == ("amount", "items")
    assert has.sensitivity is Sensitivity.INTERNAL
    assert has.purposes == {"pricing"}
    assert has.available is Availability.REQUEST


def test_a_history_feature_inherits_through_a_derived_key_and_from_the_label() -> None:
    contract = made(result={"purposes": ["staffing"]}, at={"sensitivity": "internal"})
    rate = next(f for f in contract.features.columns if f.name == "shop_hour_9d")
    has = inherited(contract, rate)
    assert (has.columns, has.sensitivity) == (("at", "shop"), Sensitivity.INTERNAL)
    assert has.purposes == {"staffing"}
    assert has.available is Availability.REQUEST  # its days are over


@pytest.mark.parametrize(
    ("contract", "problem"),
    [
        (made(items={"sensitivity": "personal"}), "each is made of amount, items, of which one is"),
        (
            made(purpose="staffing", amount={"purposes": ["pricing"]}),
            "amount is made of amount, which is for pricing; this model's purpose is staffing",
        ),
        (made(amount={"purposes": ["pricing"]}), "this model's purpose is None"),
        (
            made(purpose="fraud", amount={"purposes": ["fraud"]}, items={"purposes": ["staffing"]}),
            "each is made of amount, items, which is for nothing in common",
        ),
    ],
)
def test_a_column_that_may_not_be_used_does_not_get_in_through_a_feature(
    contract: ModelContract, problem: str
) -> None:
    assert any(problem in what for _, what in policy_problems(contract))
    with pytest.raises(FeatureError, match="visits: feature "):
        require_allowed(contract)


def test_a_column_for_the_model_s_own_purpose_is_free() -> None:
    require_allowed(made(purpose="pricing", amount={"purposes": ["pricing", "fraud"]}))
    require_allowed(tiny.contract())


def test_an_outcome_cannot_be_an_input_even_of_a_derived_feature() -> None:
    with pytest.raises(ValueError, match="column 'items' is known only with the outcome"):
        made(items={"available": "outcome"})
