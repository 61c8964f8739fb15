import numpy as np
import pytest

from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline_tests.data import tiny


def values(function: str) -> dict[str, np.ndarray]:
    contract = tiny.with_features(function=f"mlops_pipeline_tests.features.functions:{function}")
    return values_of(contract, tiny.frame().assign(amount=0.0))


def test_times_are_seconds_numbers_floats_and_texts_objects() -> None:
    found = values_of(tiny.contract(), tiny.frame(tiny.ROWS[:3]))
    assert sorted(found) == ["amount", "at", "each", "hour", "items", "shop"]
    assert found["at"].tolist() == [1704099600.0, 1704103200.0, 1704106800.0]
    assert found["items"].dtype == np.float64
    assert found["shop"].tolist() == ["a", "a", "b"]
    assert found["hour"].tolist() == [9, 10, 11]
    np.testing.assert_array_equal(found["each"], [10, 10, np.nan])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("reads_the_outcome", "read 'result', which no feature declares"),
        ("reduces", r"each has shape \(\) for 8 rows; give one value for each row"),
        ("branches", "cannot be applied to whole columns: The truth value of an array"),
        ("gives_more", "gave secret, which no feature declares"),
        ("gives_less", "feature each: neither a column nor given by the function"),
        ("divides", "divide by zero encountered"),
    ],
)
def test_a_function_that_breaks_its_word_is_a_feature_error(function: str, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        values(function)
