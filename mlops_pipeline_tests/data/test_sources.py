from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.sources import conform, read_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import ContractError, SourceError
from mlops_pipeline_tests.data import tiny

JANUARY = Window.of_month("2024-01")


def reading(function: str) -> ModelContract:
    source = {**tiny.CONTRACT["source"], "function": f"{__name__}:{function}"}
    return tiny.contract(source=source)


def nothing(start: datetime, end: datetime) -> pd.DataFrame:
    return tiny.raw([])


def a_list(start: datetime, end: datetime) -> list[int]:
    return [1]


def everything(start: datetime, end: datetime) -> pd.DataFrame:
    return tiny.raw()


def test_rows_come_in_the_contract_s_columns_types_and_order() -> None:
    rows = read_source(tiny.contract(), JANUARY)
    assert tuple(rows.columns) == tiny.contract().column_names
    kinds = [str(kind) for kind in rows.dtypes]
    assert kinds == ["datetime64[ns]", "object", "object", "float64", "int64", "float64"]
    assert rows["visitor"].tolist() == ["v1", "v2", "v3", "v4", "v5", "v6", "v7"]
    assert rows.index.tolist() == list(range(7))


def test_rows_of_one_time_are_sorted_by_entity() -> None:
    one = [("2024-01-01T00:00", "a", name, 1.0, 1, 1.0) for name in ("z", "b", "m")]
    assert tiny.frame(one)["visitor"].tolist() == ["b", "m", "z"]


def test_further_columns_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    rows = conform(tiny.contract(), tiny.raw().assign(extra=1))
    assert "extra" not in rows
    assert "ignored_columns=extra" in caplog.text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", "gave no row for 2024-01-01T00:00:00 to 2024-02-01"),
        ("a_list", "gave list for .* not a DataFrame"),
        ("everything", "1 of 8 rows have an event time outside .* the first 2024-02-01 09:00:00"),
    ],
)
def test_a_source_that_gives_nothing_usable_is_named(function: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_source(reading(function), JANUARY)


def test_a_source_that_does_not_exist_is_a_contract_error() -> None:
    with pytest.raises(ContractError, match="has no callable 'absent'"):
        read_source(reading("absent"), JANUARY)


def test_missing_columns_are_named_with_those_that_are_there() -> None:
    frame = tiny.raw().drop(columns=["shop", "items"])
    with pytest.raises(SourceError, match="no column shop, items; the source has at, visitor"):
        conform(tiny.contract(), frame)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("amount", ["12,5"], "column amount: '12,5' cannot be read as a number"),
        ("amount", [True], "column amount: True cannot be read as a number"),
        ("items", [1.5], r"column items: (np\.float64\()?1\.5\)? is not a whole number"),
        ("items", [np.inf], "column items: .*inf.* is not a whole number"),
        ("shop", [7], "column shop: 7 cannot be read as text"),
        ("visitor", [b"v1"], "column visitor: b'v1' cannot be read as text"),
        ("at", ["yesterday"], "column at: 'yesterday' cannot be read as datetime64"),
        ("at", [pd.Timestamp("2024-01-01", tz="UTC")], "column at: times carry the zone UTC"),
    ],
)
def test_a_value_of_another_type_is_shown(column: str, values: list[Any], message: str) -> None:
    frame = tiny.raw(tiny.ROWS[:1]).assign(**{column: values})
    with pytest.raises(SourceError, match=message):
        conform(tiny.contract(), frame)


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None], dtype="Int64"),
        [1, None],
        np.array([1.0, np.nan], dtype=np.float32),
        np.array([1, None], dtype=object),
        [Decimal(1), None],
    ],
    ids=["Int64", "list", "float32", "object", "decimal"],
)
def test_numbers_of_any_kind_become_float64(values: Any) -> None:
    frame = tiny.raw(tiny.ROWS[:2]).assign(amount=values)
    amounts = conform(tiny.contract(), frame)["amount"]
    assert amounts.dtype == np.float64
    np.testing.assert_array_equal(amounts, [1.0, np.nan])


@pytest.mark.parametrize("kind", ["category", "string"])
def test_texts_of_any_kind_become_strings_or_none(kind: str) -> None:
    frame = tiny.raw(tiny.ROWS[:2]).assign(shop=pd.Series(["a", None], dtype=kind))
    shops = conform(tiny.contract(), frame)["shop"]
    assert shops.dtype == object
    assert shops.tolist() == ["a", None]


def test_an_integer_that_is_missing_against_the_contract_stays_readable() -> None:
    frame = tiny.raw(tiny.ROWS[:2]).assign(items=[1, None])
    items = conform(tiny.contract(), frame)["items"]
    np.testing.assert_array_equal(items, [1.0, np.nan])


def test_a_nullable_integer_is_always_a_float() -> None:
    contract = tiny.with_column("items", nullable=True)
    assert conform(contract, tiny.raw())["items"].dtype == np.float64
