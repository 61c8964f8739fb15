"""What a check looks at, and what it says: a bad frame is a finding, never an exception."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType, Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.schema import dtype_of

SHOWN = 5  # failing rows of one check
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the checks look at. `reference` is a trusted frame, `usual_rows` those of partitions."""

    contract: ModelContract
    frame: pd.DataFrame
    reference: pd.DataFrame | None
    usual_rows: Sequence[int]
    as_of: datetime  # local, without time zone
    share: float = 1.0  # of the rows, where the frame is a sample
    source_columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by month

    def readable(self, columns: Sequence[Column]) -> Iterator[tuple[Column, "pd.Series[float]"]]:
        """The columns that are there in a type that can be judged."""
        for column in columns:
            if column.name in self.frame:
                values = self.frame[column.name]
                number = column.type in (ColumnType.NUMBER, ColumnType.INTEGER)
                if values.dtype == dtype_of(column) or (number and values.dtype.kind in "if"):
                    yield column, values

    def lacks(self, *names: str) -> tuple[str, ...]:
        """Those of the named columns that cannot be judged."""
        columns = [self.contract.column(name) for name in names]
        there = {column.name for column, _ in self.readable(columns)}
        return tuple(name for name in names if name not in there)

    def months(self) -> "dict[str, np.ndarray]":
        """Positions of the rows of each month, from the first to the last that has any."""
        return months_of(self.frame[self.contract.event_time])


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw: `value` against `limit`, the first failing rows, counts by reason."""

    passed: bool
    summary: str
    value: float | None = None
    limit: float | None = None
    rows: tuple[dict[str, object], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


def months_of(times: "pd.Series[pd.Timestamp]") -> "dict[str, np.ndarray]":
    """Positions of each month's times, from the first to the last month that has any."""
    whole = times.to_numpy(dtype="datetime64[M]")
    known = np.flatnonzero(~np.isnat(whole))
    if not len(known):
        return {}
    numbers = whole[known].astype(np.int64)
    return {
        str(np.datetime64(int(number), "M")): known[numbers == number]
        for number in range(int(numbers.min()), int(numbers.max()) + 1)
    }


Failing = Sequence[tuple[Column, np.ndarray, str]]


def row_finding(seen: Inspected, failing: Failing, good: str) -> Finding:
    """A finding on rows: all are good, or these are not."""
    counts = {f"{c.name}: {reason}": int(bad.sum()) for c, bad, reason in failing if bad.any()}
    if not counts:
        return Finding(True, good, 0.0, 0.0)
    rows = len(seen.frame)
    summary = "; ".join(f"{reason} in {number} of {rows} rows" for reason, number in counts.items())
    return Finding(
        False, summary, float(sum(counts.values())), 0.0, failing_rows(seen, failing), dict(counts)
    )


def failing_rows(seen: Inspected, failing: Failing) -> tuple[dict[str, object], ...]:
    """The first failing rows of each column: what was found, and in which entity."""
    listed: list[dict[str, object]] = []
    entity = [seen.contract.column(name) for name in seen.contract.entity]
    for column, bad, reason in failing:
        for row in np.flatnonzero(bad)[: SHOWN - len(listed)]:
            cells = seen.frame.iloc[int(row)]
            named = {c.name: shown(c, cells.get(c.name)) for c in entity}
            found = shown(column, cells[column.name])
            listed.append({"column": column.name, "reason": reason, "found": found, **named})
    return tuple(listed)


def shown(column: Column, value: object) -> object:
    """A cell as JSON can say it, masked where the column is personal."""
    if column.sensitivity is Sensitivity.PERSONAL:
        return MASK
    if value is None or value != value:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    return str(plain) if isinstance(plain, float) and np.isinf(plain) else plain


def unjudged(missing: Sequence[str]) -> Finding:
    """The finding where columns are missing that a check rests on."""
    what = f"cannot be judged: {', '.join(missing)} is missing or of another type"
    return Finding(False, what)
