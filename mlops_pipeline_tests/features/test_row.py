import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pytest

from mlops_pipeline.errors import FeatureError, RequestError
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.features.row import RowFeatures
from mlops_pipeline_tests.data import tiny

REQUEST: dict[str, object] = {
    "at": "2024-01-05T09:30:00",
    "shop": "b",
    "amount": 30,
    "items": 4,
}
TABLES = {"shop_3d": {"b": 0.25}, "shop_hour_9d": {"b|9": 0.75}}


def vector(request: Mapping[str, object], **features: Any) -> list[float]:
    contract = tiny.with_features(**features)
    snapshot = FeatureSnapshot(
        model="visits",
        definition=definition_digest(contract),
        as_of=date(2024, 1, 5),
        tables=TABLES,
        defaults={"shop_3d": 0.5},
    )
    return RowFeatures(contract).vector(request, snapshot).tolist()


def test_a_request_becomes_codes_numbers_and_look_ups() -> None:
    assert vector(REQUEST) == [1, 9, 7.5, 30, 0.25, 0.75]


@pytest.mark.parametrize(
    "at",
    ["2024-01-05T09:30", "2024-01-05 09:30:00", 1704447000, 1704447000.0, datetime(2024, 1, 5, 9)],  # noqa: DTZ001
)
def test_a_time_is_iso_text_or_seconds(at: object) -> None:
    assert vector({**REQUEST, "at": at})[1] == 9


def test_an_unseen_key_has_the_overall_rate_and_without_one_none() -> None:
    unseen = vector({**REQUEST, "shop": "c"})
    assert unseen[4] == 0.5
    assert math.isnan(unseen[5])


def test_an_unknown_category_is_missing() -> None:
    assert math.isnan(vector({**REQUEST, "shop": "zz"})[0])


def test_an_unknown_category_is_refused_where_the_contract_says_so() -> None:
    with pytest.raises(RequestError, match="shop: 'zz' is not one of a, b, c"):
        vector({**REQUEST, "shop": "zz"}, unknown_category="reject")


@pytest.mark.parametrize("missing", [{"amount": None}, {"amount": math.nan}, {}])
def test_a_missing_nullable_number_is_nan_and_so_is_what_comes_of_it(
    missing: dict[str, object],
) -> None:
    request = {name: value for name, value in REQUEST.items() if name != "amount"}
    found = vector({**request, **missing})
    assert math.isnan(found[2])
    assert math.isnan(found[3])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("items", None, "items: missing; it must have a value"),
        ("items", 1.5, "items: 1.5 is not a whole number"),
        ("items", "4", "items: '4' is not a number"),
        ("items", True, "items: True is not a number"),
        ("items", 10**400, "items: int too large"),
        ("amount", [1], r"amount: \[1\] is not a number"),
        ("shop", 3, "shop: 3 is not a text"),
        ("shop", None, "shop: missing"),
        ("at", "soon", "at: Invalid isoformat string: 'soon'"),
        ("at", "2024-01-05T09:30:00+01:00", r"at: 2024-01-05T09:30:00\+01:00 names a time zone"),
        ("at", {}, r"at: \{\} is not a number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_field(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        vector({**REQUEST, field: value})


def test_further_fields_are_ignored() -> None:
    assert vector({**REQUEST, "result": 5.0, "extra": "x"}) == vector(REQUEST)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("reads_the_outcome", "read 'result', which no feature declares"),
        ("gives_more", "gave secret, which no feature declares"),
        ("gives_less", "feature each: neither a column nor given by the function"),
        ("divides", "division by zero"),
    ],
)
def test_a_function_that_breaks_its_word_is_a_feature_error(function: str, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        vector(
            {**REQUEST, "amount": 0},
            function=f"mlops_pipeline_tests.features.functions:{function}",
        )


def test_look_ups_of_another_definition_are_refused() -> None:
    other = FeatureSnapshot("visits", "e" * 64, date(2024, 1, 5), {}, {})
    with pytest.raises(FeatureError, match="2024-01-05 has definition eeeeeeeeeeee…, this model"):
        RowFeatures(tiny.contract()).vector(REQUEST, other)
