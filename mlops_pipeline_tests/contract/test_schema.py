"""The JSON Schema says of a single part what loading says."""

import json
from typing import Any

import pytest
import yaml

from mlops_pipeline.contract.schema import contract_schema
from mlops_pipeline.settings import PACKAGE_MODELS
from mlops_pipeline_tests.contract.mistakes import MISTAKES
from mlops_pipeline_tests.contract.rows import SMALL

jsonschema = pytest.importorskip("jsonschema")

SINGLE_PART = [  # the mistakes that an editor can see while they are typed
    "a word it does not know",
    "text where a number belongs",
    "true where a number belongs",
    "a number where text belongs",
    "no where a category belongs",
    "an owner that nobody can reach",
    "another version of the contract",
    "a trainer that is not there",
    "a kind of feature that is not there",
    "a function without a module",
]


def plain(text: str) -> Any:
    """YAML as an editor sees it: dates are text."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def validator() -> Any:
    schema = contract_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "text",
    [SMALL, (PACKAGE_MODELS / "flight_delay" / "contract.yaml").read_text()],
    ids=["small", "flight_delay"],
)
def test_a_whole_contract_is_valid(text: str) -> None:
    assert list(validator().iter_errors(plain(text))) == []


@pytest.mark.parametrize("name", SINGLE_PART)
def test_a_mistake_in_one_part_is_invalid(name: str) -> None:
    good, bad, _, _ = MISTAKES[name]

    assert not validator().is_valid(plain(SMALL.replace(good, bad)))


def test_parts_are_described() -> None:
    schema = contract_schema()

    assert schema["title"] == "Model contract"
    undescribed = [
        name
        for name, part in schema["$defs"].items()
        if part["type"] == "object" and not part.get("description")
    ]
    assert undescribed == []
