"""Windows of event time, and the months that partition it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from mlops_pipeline.contract.columns import Source
from mlops_pipeline.errors import DataError

if TYPE_CHECKING:  # windows alone need no pandas
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open span `start <= t < end` of local time, without time zone."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise DataError(
                f"window {self.start} to {self.end}: event times are local and carry no time zone"
            )
        if self.end < self.start:
            raise DataError(f"window ends at {self.end}, before it starts at {self.start}")

    @classmethod
    def of_month(cls, key: str) -> "Window":
        """The month that a key such as `2013-02` names.

        Raises:
            DataError: the key is not a month.
        """
        try:
            start = datetime.strptime(key, "%Y-%m")  # noqa: DTZ007 - local time
        except ValueError:
            start = None
        if start is None or f"{start:%Y-%m}" != key:  # else two keys would name one month
            raise DataError(f"{key!r} is no month; write it as 2013-02")
        return cls(start, month_start(start, 1))

    @classmethod
    def of_months(cls, first: str, last: str) -> "Window":
        """Every month from `first` to `last`, both included."""
        return cls(cls.of_month(first).start, cls.of_month(last).end)

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end - self.start) / timedelta(days=1)

    @property
    def is_whole_months(self) -> bool:
        """Whether both ends stand at the start of a month."""
        return all(moment == month_start(moment) for moment in (self.start, self.end))

    def contains(self, moment: datetime) -> bool:
        """Whether `moment` lies in the window."""
        return self.start <= moment < self.end

    def covers(self, other: "Window") -> bool:
        """Whether all of `other` lies in the window."""
        return self.start <= other.start and other.end <= self.end

    def mask(self, times: "pd.Series[pd.Timestamp]") -> "np.ndarray":
        """For each time whether it lies in the window; False where it is missing."""
        inside: np.ndarray = ((times >= self.start) & (times < self.end)).to_numpy(dtype=bool)
        return inside

    def months(self) -> tuple[str, ...]:
        """Keys of the months that the window touches, in order."""
        keys = []
        moment = month_start(self.start)
        while moment < self.end:
            keys.append(f"{moment:%Y-%m}")
            moment = month_start(moment, 1)
        return tuple(keys)

    def __str__(self) -> str:
        return f"{self.start.isoformat()} to {self.end.isoformat()}"


def month_start(moment: date, months: int = 0) -> datetime:
    """The first instant of the month `months` after that of `moment`."""
    count = moment.year * 12 + moment.month - 1 + months
    return datetime(count // 12, count % 12 + 1, 1)  # noqa: DTZ001 - local time


def partition_keys(source: Source, as_of: date | None = None) -> tuple[str, ...]:
    """Keys of the source's partitions, first to last.

    A source without a last partition has those that are over on `as_of`.

    Raises:
        DataError: the source is open-ended and `as_of` is missing.
    """
    if source.last is not None:
        end = month_start(source.last, 1)
    elif as_of is not None:
        end = month_start(as_of)
    else:
        raise DataError(f"source {source.name} has no last partition; say as of which day")
    start = month_start(source.first)
    return Window(start, max(start, end)).months()
