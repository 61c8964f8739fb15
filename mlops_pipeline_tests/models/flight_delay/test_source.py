import sys
from datetime import datetime

import pytest

from mlops_pipeline.models.flight_delay.source import PACKAGE, data_folder, flights

at = datetime.fromisoformat


def test_a_day_s_flights_have_the_weather_of_their_hour() -> None:
    rows = flights(at("2013-01-01T05:00"), at("2013-01-01T06:00"))
    assert rows["scheduled_departure"].tolist()[:3] == [
        at("2013-01-01T05:15"),
        at("2013-01-01T05:29"),
        at("2013-01-01T05:40"),
    ]
    first = rows.iloc[0]
    assert (first["carrier"], first["flight"], first["origin"], first["dest"]) == (
        "UA",
        1545,
        "EWR",
        "IAH",
    )
    assert (first["scheduled_arrival"], first["arr_delay"], first["temp"]) == (819, 11, 39.02)


def test_the_end_of_the_window_is_outside() -> None:
    first = flights(at("2013-01-01T05:00"), at("2013-01-01T05:15"))
    second = flights(at("2013-01-01T05:15"), at("2013-01-01T05:29"))
    assert (len(first), len(second)) == (0, 1)


def test_a_window_across_months_is_whole() -> None:
    days = flights(at("2013-01-31"), at("2013-02-02"))["scheduled_departure"].dt.date
    assert sorted({str(day) for day in days}) == ["2013-01-31", "2013-02-01"]


def test_cancelled_flights_have_no_delay_and_silent_stations_no_weather() -> None:
    rows = flights(at("2013-12-31"), at("2014-01-01"))
    assert rows["arr_delay"].isna().any()
    assert rows["temp"].isna().any()


def test_the_package_itself_is_never_imported() -> None:
    flights(at("2013-01-01"), at("2013-01-02"))
    assert PACKAGE not in sys.modules
    assert (data_folder() / "weather.csv").is_file()


@pytest.mark.slow
def test_the_year_has_every_flight_once() -> None:
    rows = flights(at("2013-01-01"), at("2014-01-01"))
    assert len(rows) == 336_776
    assert not rows.duplicated(["carrier", "flight", "origin", "scheduled_departure"]).any()
