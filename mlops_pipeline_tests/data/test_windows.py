from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.contract.columns import Source
from mlops_pipeline.data.windows import Window, month_start, partition_keys
from mlops_pipeline.errors import DataError

at = datetime.fromisoformat
MOMENTS = st.datetimes(at("1999-01-01"), at("2050-01-01"))


def source(**changes: object) -> Source:
    return Source.model_validate(
        {"name": "s", "function": "json:loads", "first": "2013-11-15", **changes}
    )


def test_a_window_holds_its_start_and_not_its_end() -> None:
    february = Window.of_month("2013-02")
    assert february == Window(at("2013-02-01"), at("2013-03-01"))
    assert february.contains(at("2013-02-01"))
    assert not february.contains(at("2013-03-01"))


def test_december_ends_with_the_year() -> None:
    assert Window.of_month("2013-12").end == at("2014-01-01")


def test_months_are_all_that_the_window_touches() -> None:
    window = Window(at("2013-11-30T23:00:00"), at("2014-01-01T00:00:01"))
    assert window.months() == ("2013-11", "2013-12", "2014-01")
    assert Window(at("2013-02-01"), at("2013-02-01")).months() == ()


@given(MOMENTS, MOMENTS)
def test_the_months_of_a_window_cover_it(one: datetime, other: datetime) -> None:
    window = Window(min(one, other), max(one, other))
    months = window.months()
    if months:
        assert Window.of_months(months[0], months[-1]).covers(window)
        ends = [Window.of_month(key).end for key in months]
        assert [Window.of_month(key).start for key in months[1:]] == ends[:-1]


@given(MOMENTS, st.integers(-30, 30))
def test_months_add_and_subtract(moment: datetime, months: int) -> None:
    moved = month_start(moment, months)
    assert month_start(moved, -months) == month_start(moment)
    assert (moved.year - moment.year) * 12 + moved.month - moment.month == months


def test_the_mask_is_false_where_the_time_is_missing() -> None:
    times = pd.Series(pd.to_datetime(["2013-02-01", None, "2013-03-01"]))
    assert Window.of_month("2013-02").mask(times).tolist() == [True, False, False]


def test_only_month_starts_bound_whole_months() -> None:
    assert Window.of_months("2013-01", "2013-03").is_whole_months
    assert not Window(at("2013-01-01"), at("2013-01-31")).is_whole_months


def test_a_window_with_a_time_zone_is_refused() -> None:
    with pytest.raises(DataError, match="carry no time zone"):
        Window(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(DataError, match=r"ends at 2013-01-01 .* before it starts"):
        Window(at("2013-02-01"), at("2013-01-01"))


def test_a_key_that_is_no_month_is_refused() -> None:
    with pytest.raises(DataError, match=r"'2013-13' is no month; write it as 2013-02"):
        Window.of_month("2013-13")


def test_partitions_end_with_the_last_one() -> None:
    assert partition_keys(source(last="2014-01-20")) == ("2013-11", "2013-12", "2014-01")


def test_an_open_source_has_the_months_that_are_over() -> None:
    assert partition_keys(source(), date(2014, 1, 1)) == ("2013-11", "2013-12")
    assert partition_keys(source(), date(2013, 12, 31)) == ("2013-11",)
    assert partition_keys(source(), date(2012, 1, 1)) == ()


def test_an_open_source_needs_a_day() -> None:
    with pytest.raises(DataError, match="source s has no last partition; say as of which day"):
        partition_keys(source())
