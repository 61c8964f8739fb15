"""Flights from Kennedy airport, of the real flights of 2013."""

from datetime import datetime

import pandas as pd

from mlops_pipeline.models.flight_delay.source import flights

COLUMNS = ["departs", "carrier", "flight", "distance", "precip", "visib", "minutes_late"]


def arrivals(start: datetime, end: datetime) -> pd.DataFrame:
    """Every flight from Kennedy with `start <= scheduled departure < end`."""
    rows = flights(start, end)
    rows = rows[rows["origin"] == "JFK"]
    named = {"scheduled_departure": "departs", "arr_delay": "minutes_late"}
    return rows.rename(columns=named)[COLUMNS]
