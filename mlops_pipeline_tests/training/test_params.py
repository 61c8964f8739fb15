import pytest
from pydantic import Field

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.params import Params, read_params


class Knobs(Params):
    """Two parameters."""

    depth: int = Field(default=3, ge=1)
    rate: float = Field(default=0.1, gt=0)


def test_defaults_are_written_out() -> None:
    assert read_params("x", Knobs, {"depth": 5}) == Knobs(depth=5, rate=0.1)


def test_an_unknown_parameter_is_named_beside_those_that_exist() -> None:
    with pytest.raises(TrainingError, match=r"x: parameter dept=3: unknown; it takes depth, rate"):
        read_params("x", Knobs, {"dept": 3})


def test_every_parameter_out_of_range_is_named_with_its_value() -> None:
    with pytest.raises(TrainingError, match=r"depth=0: .*greater.*\n.*rate=-1: .*greater"):
        read_params("x", Knobs, {"depth": 0, "rate": -1})
