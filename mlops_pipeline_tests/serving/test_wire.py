import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.serving.refusals import Refusal
from mlops_pipeline.serving.wire import RequestReader, Row
from mlops_pipeline_tests.serving.world import ROW, body, changed, flights

DEPARTURE = datetime(2013, 4, 1, 6, 30)  # noqa: DTZ001  local time
LENIENT = RequestReader(flights())
STRICT = RequestReader(changed(flights(), {"features.unknown_category": "reject"}))


def read(content: bytes, reader: RequestReader = LENIENT) -> Row:
    row = reader.read(content)
    assert isinstance(row, Row), row
    return row


def refusal(content: bytes, reader: RequestReader = LENIENT) -> Refusal:
    refused = reader.read(content)
    assert isinstance(refused, Refusal), refused
    return refused


def test_a_good_body_becomes_a_row_with_times_as_datetimes() -> None:
    row = read(body())
    assert row.values["scheduled_departure"] == DEPARTURE
    assert row.values["distance"] == 500.0
    assert row.event_time == DEPARTURE
    assert tuple(row.values) == LENIENT.fields


def test_seconds_and_text_name_the_same_time() -> None:
    assert read(body(scheduled_departure=1364797800)).event_time == read(body()).event_time


def test_a_space_between_date_and_time_is_understood() -> None:
    assert (
        read(body(scheduled_departure="2013-04-01 06:30:00")).event_time == read(body()).event_time
    )


def test_a_nullable_field_may_be_null_or_left_out() -> None:
    assert read(body(temp=None)).values["temp"] is None
    assert read(body(temp=...)).values["temp"] is None


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read(body(scheduled_arrival=830.0)).values["scheduled_arrival"] == 830


def test_an_unknown_category_passes_and_is_counted_where_the_contract_says_missing() -> None:
    reader = RequestReader(flights())
    read(body(carrier="ZZ"), reader)
    assert reader.unknown_categories == {"carrier": 1, "origin": 0, "dest": 0}


def test_an_unknown_category_is_refused_where_the_contract_says_reject() -> None:
    refused = refusal(body(origin="SFO"), STRICT)
    assert refused == Refusal(422, "origin", "unknown category 'SFO'", "one of: EWR, JFK, LGA")


def test_a_range_that_only_warns_lets_the_value_pass_and_counts_it() -> None:
    reader = RequestReader(flights())
    assert read(body(wind_speed=1048.0), reader).values["wind_speed"] == 1048.0
    assert reader.out_of_range == {"wind_speed": 1}


@pytest.mark.parametrize(
    ("content", "status", "field", "what", "allowed"),
    [
        (body(distance=...), 422, "distance", "missing field", "a number, at least 10"),
        (body(distance=None), 422, "distance", "null", "a number, at least 10"),
        (body(distance="far"), 422, "distance", "a JSON string, not a number", "a number"),
        (body(distance=True), 422, "distance", "a JSON boolean, not a number", "a number"),
        (body(distance=[5]), 422, "distance", "a JSON array, not a number", "a number"),
        (body(distance={"a": 1}), 422, "distance", "a JSON object, not a number", "a number"),
        (body(distance=9), 422, "distance", "9 is below 10", "at least 10"),
        (body(distance=6000.5), 422, "distance", "6000.5 is above 6000", "at most 6000"),
        (body(distance=math.nan), 422, "distance", "nan is not finite", "a number"),
        (body(distance=math.inf), 422, "distance", "inf is not finite", "a number"),
        (body(temp=-math.inf), 422, "temp", "-inf is not finite", "or null"),
        (body().replace(b"500", b"1e999"), 422, "distance", "inf is not finite", "a number"),
        (body().replace(b"500", b"9" * 400), 422, "distance", "inf is not finite", "a number"),
        (body(scheduled_arrival=8.5), 422, "scheduled_arrival", "8.5 is not whole", "whole number"),
        (body(carrier=5), 422, "carrier", "a JSON number, not a string", "one of: 9E, AA"),
        (body(carrier=None), 422, "carrier", "null", "one of: 9E, AA"),
        (body(carrier="x" * 1001), 422, "carrier", "1001 characters", "one of: 9E, AA"),
        (body(speed=1), 422, "speed", "unknown field", "one of: scheduled_departure, carrier"),
        (body(arr_delay=1), 422, "arr_delay", "unknown field", "one of: scheduled_departure"),
        (body(scheduled_departure="soon"), 422, "scheduled_departure", "'soon'", "without a zone"),
        (
            body(scheduled_departure="2013-04-01T06:30:00Z"),
            422,
            "scheduled_departure",
            "is not such a time",
            "without a zone",
        ),
        (
            body(scheduled_departure="2013-02-30T06:30:00"),
            422,
            "scheduled_departure",
            "is not such a time",
            "local time",
        ),
        (
            body(scheduled_departure="0001-01-01T00:00:00"),
            422,
            "scheduled_departure",
            "outside the range",
            "from 1900 to before 2200",
        ),
        (body(scheduled_departure=1e300), 422, "scheduled_departure", "outside the range", "1900"),
        (body(scheduled_departure=math.nan), 422, "scheduled_departure", "outside", "1900"),
        (body(scheduled_departure=[]), 422, "scheduled_departure", "a JSON array", "local time"),
        (b"", 400, "body", "not JSON", "one JSON object"),
        (b"null", 422, "body", "a JSON null, not an object", "one JSON object"),
        (b"[]", 422, "body", "a JSON array, not an object", "one JSON object"),
        (body()[:-9], 400, "body", "not JSON", "one JSON object"),
        (body() + b"}", 400, "body", "not JSON", "one JSON object"),
        (b"\xff\xfe{}", 400, "body", "not UTF-8 at byte 0", "UTF-8"),
        (b"\xef\xbb\xbf" + body(), 400, "body", "not JSON", "one JSON object"),
        (b"[" * 60_000, 400, "body", "nested too deeply", "one flat JSON object"),
        (b'{"distance":' + b"[" * 60_000, 400, "body", "nested too deeply", "one flat JSON object"),
        (b'{"a":' * 12_000, 400, "body", "nested too deeply", "one flat JSON object"),
        (b"9" * 5_000, 400, "body", "not JSON", "one JSON object"),
    ],
)
def test_a_bad_body_is_refused_with_its_field_and_what_is_allowed(
    content: bytes, status: int, field: str, what: str, allowed: str
) -> None:
    refused = refusal(content)
    assert (refused.status, refused.field) == (status, field)
    assert what in refused.what
    assert allowed in refused.allowed


def test_a_refusal_shows_little_of_what_the_client_sent() -> None:
    refused = refusal(json.dumps({"a\n" * 500: 1}).encode())
    assert refused.field == "a?" * 30 + "…"


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["UA", "EWR", "2013-04-01T06:30:00", "2013-04-01T06:30:00.5", "1800-01-01"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(name=st.sampled_from(list(ROW)), value=values, strict=st.booleans())
def test_what_the_fast_reader_refuses_the_slow_one_names(
    name: str, value: Any, strict: bool
) -> None:
    answer = (STRICT if strict else LENIENT).read(body(**{name: value}))
    if isinstance(answer, Refusal):
        assert (answer.status, answer.field) == (422, name)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    assert isinstance(LENIENT.read(content), Refusal)
