from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.features.declared import (
    cardinalities,
    categories_of,
    feature_names,
    function_inputs,
    key_part,
    key_text,
)
from mlops_pipeline_tests.data import tiny


def test_the_function_is_given_only_what_its_features_declare() -> None:
    assert function_inputs(tiny.contract()) == ("shop", "at", "amount", "items")


def test_a_category_feature_counts_its_categories_and_a_number_none() -> None:
    assert feature_names(tiny.contract())[:2] == ("shop", "hour")
    assert cardinalities(tiny.contract()) == (3, 0, 0, 0, 0, 0)
    assert categories_of(tiny.contract(), "shop") == ("a", "b", "c")
    assert categories_of(tiny.contract(), "hour") == ()


def test_a_whole_number_reads_like_an_integer() -> None:
    assert [key_part(v) for v in (6.0, -0.0, 1e20, 0.1)] == ["6", "0", "1" + "0" * 20, "0.1"]


def test_a_missing_part_leaves_no_key() -> None:
    assert key_text(["JFK", float("nan")]) is None
    assert key_text([None]) is None
    assert key_text(["JFK", 6.0]) == "JFK|6"
    assert key_text([]) == ""


PARTS = st.lists(st.text(alphabet="a|\\6") | st.integers(0, 9).map(str), min_size=2, max_size=2)


@given(PARTS, PARTS)
def test_different_parts_have_different_keys(one: list[str], other: list[str]) -> None:
    assert (key_text(one) == key_text(other)) == (one == other)
