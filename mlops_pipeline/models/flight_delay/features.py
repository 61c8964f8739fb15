"""What a flight's row tells about itself: the hour, the minute, the day of the week."""

from collections.abc import Mapping
from typing import Any

DAY = 86400  # seconds
THURSDAY = 3  # 1970-01-01, with Monday as 0


def derive(row: Mapping[str, Any]) -> dict[str, Any]:
    """Hour, minute and weekday of the scheduled departure; hour of the scheduled arrival.

    Elementwise: values are arrays when training and single numbers when serving.
    """
    departure = row["scheduled_departure"]
    return {
        "hour": departure % DAY // 3600,
        "minute_of_day": departure % DAY // 60,
        "weekday": (departure // DAY + THURSDAY) % 7,
        "arrival_hour": row["scheduled_arrival"] // 100,
    }
