"""One column: what counts as drift besides the statistic."""

from typing import Any

import pandas as pd

from mlops_pipeline.contract.promises import ColumnDrift
from mlops_pipeline.monitoring.columns import effect_of, judge_column, unseen_categories
from mlops_pipeline.monitoring.records import DriftRow

NAN = float("nan")


def judged(
    reference: list[Any], current: list[Any], *, value: float | None, **watched: Any
) -> DriftRow:
    """A column `c` with a limit of 0.2."""
    kind = "category" if isinstance(reference[0], str) else "number"
    dtype: Any = object if kind == "category" else float
    return judge_column(
        ColumnDrift(column="c", **watched),
        kind,  # type: ignore[arg-type]
        pd.Series(reference, dtype=dtype),
        pd.Series(current, dtype=dtype),
        value=value,
        limit=None if value is None else 0.2,
    )


def test_a_statistic_at_its_limit_is_no_drift() -> None:
    assert not judged([1.0], [1.0], value=0.2).drifted


def test_a_statistic_over_its_limit_is_drift_and_says_both() -> None:
    assert judged([1.0], [1.0], value=0.25).reasons == ("psi 0.250 > 0.200",)


def test_a_small_p_value_is_drift() -> None:
    assert judged([1.0], [1.0], value=0.01, method="ks").reasons == ("ks p-value 0.01 < 0.2",)
    assert not judged([1.0], [1.0], value=0.9, method="ks").drifted


def test_values_that_go_missing_are_drift_though_the_rest_is_the_same() -> None:
    row = judged([1.0, 1.0], [1.0, NAN], value=0.0)
    assert row.reasons == ("missing 0.0% -> 50.0%, tolerated 10.0%",)
    assert (row.n_reference, row.n_current) == (2, 1)


def test_values_that_come_back_are_drift_too() -> None:
    assert judged([1.0, NAN], [1.0, 1.0], value=0.0).drifted


def test_a_column_that_fell_silent_is_drift_without_a_statistic() -> None:
    row = judged([1.0, 1.0], [NAN, NAN], value=None)
    assert (row.drifted, row.value, row.effect) == (True, None, "no values to compare")


def test_a_column_that_was_always_silent_is_steady() -> None:
    assert not judged([NAN], [NAN], value=None).drifted


def test_categories_that_the_model_never_saw_are_drift() -> None:
    row = judged(["a", "b"], ["a", "x", "x", "y"], value=0.0)
    assert (row.unseen, row.unseen_share) == (("x", "y"), 0.75)
    assert row.reasons == ("unseen categories 75.0% > 10.0%",)


def test_one_rare_new_category_is_named_and_no_drift() -> None:
    row = judged(["a"] * 20, ["a"] * 19 + ["x"], value=0.0)
    assert (row.drifted, row.unseen) == (False, ("x",))


def test_a_missing_value_is_no_category() -> None:
    found = unseen_categories("category", pd.Series(["a", None]), pd.Series(["a", None]))
    assert found == ((), 0.0)


def test_effects_are_told_in_the_columns_own_terms() -> None:
    assert effect_of("number", pd.Series([1.0, 3.0]), pd.Series([4.0])) == (
        "mean 2 -> 4 (+2.00 sd)"
    )
    assert effect_of("number", pd.Series([2.0]), pd.Series([3.0])) == "mean 2 -> 3"
    assert effect_of("category", pd.Series(["a", "b"]), pd.Series(["a"] * 3 + ["b"])) == (
        "a: 50.0% -> 75.0%"
    )
    assert effect_of("category", pd.Series(["a"]), pd.Series(["b"])) == "a: 100.0% -> 0.0%"
