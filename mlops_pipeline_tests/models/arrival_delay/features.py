"""What a flight's row tells about itself."""

from collections.abc import Mapping
from typing import Any

DAY = 86400  # seconds
THURSDAY = 3  # 1970-01-01, with Monday as 0


def derive(row: Mapping[str, Any]) -> dict[str, Any]:
    """Hour and weekday of the departure."""
    departs = row["departs"]
    return {"hour": departs % DAY // 3600, "weekday": (departs // DAY + THURSDAY) % 7}
