"""The checks themselves: each looks at a frame and says what it saw. Nothing is raised: a bad frame
is a finding. Where a column is missing, the schema check says so, and what rests on it fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType, Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.distribution import shift
from mlops_pipeline.data.labels import label
from mlops_pipeline.data.schema import dtype_of, structure_faults

SHOWN = 5  # failing rows of one check
PSI_LIMIT = 0.25  # of a column whose drift the contract does not bound
NULL_SHIFT_LIMIT = 0.1
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
        times = self.frame[self.contract.event_time].to_numpy(dtype="datetime64[M]")
        known = np.flatnonzero(~np.isnat(times))
        if not len(known):
            return {}
        numbers = times[known].astype(np.int64)
        return {
            str(np.datetime64(int(number), "M")): known[numbers == number]
            for number in range(int(numbers.min()), int(numbers.max()) + 1)
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw: `value` against `limit`, the first failing rows, counts by reason."""

    passed: bool
    summary: str
    value: float | None = None
    limit: float | None = None
    rows: tuple[dict[str, object], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


def schema(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Columns, their order and their types are the contract's."""
    faults = structure_faults(seen.contract, seen.frame)
    if not faults:
        return Finding(True, f"{len(columns)} columns as the contract says", 0.0, 0.0)
    return Finding(False, "; ".join(faults), float(len(faults)), 0.0)


def nulls(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """In no month is a larger share of a column empty than it may be."""
    if missing := seen.lacks(seen.contract.event_time):
        return _unjudged(missing)
    worst: tuple[float, float, float, str] = (-1.0, 0.0, 0.0, "no column can be judged")
    counts: dict[str, int] = {}
    failing = []
    months = seen.months()
    for column, values in seen.readable(columns):
        limit = column.max_null_share if column.nullable else 0.0
        empty = values.isna().to_numpy()
        shares = {month: float(empty[rows].mean()) for month, rows in months.items() if len(rows)}
        shares["all rows"] = float(empty.mean()) if len(empty) else 0.0
        place, share = max(shares.items(), key=lambda item: item[1])
        text = f"{column.name}: {share:.2%} of {place} empty, limit {limit:.2%}"
        worst = max(worst, (share - limit, share, limit, text))
        if share > limit:
            counts[f"{column.name}: empty"] = int(empty.sum())
            failing.append((column, empty, "empty"))
    return Finding(worst[0] <= 0, worst[3], worst[1], worst[2], _rows(seen, failing), counts)


def ranges(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Every number is finite and between its column's bounds."""
    failing = []
    for column, values in seen.readable(columns):
        numbers = values.to_numpy(dtype=np.float64)
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        bad = np.isinf(numbers) | (numbers < low) | (numbers > high)
        failing.append((column, bad, f"outside {low:g} to {high:g}"))
    return _row_finding(seen, failing, "every number is within its bounds")


def categories(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Every category is one that the contract lists."""
    failing = []
    for column, values in seen.readable(columns):
        unknown = ~values.isin(column.categories) & values.notna()
        failing.append((column, unknown.to_numpy(), "not in the contract"))
    return _row_finding(seen, failing, "every category is in the contract")


def uniqueness(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No two rows are of the same entity."""
    entity = [column.name for column in columns]
    if missing := seen.lacks(*entity):
        return _unjudged(missing)
    twice = seen.frame.duplicated(entity, keep=False).to_numpy()
    failing = [(columns[0], twice, "entity more than once")]
    return _row_finding(seen, failing, f"no two rows share {', '.join(entity)}")


def volume(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Each month has enough rows, and about as many as months usually have."""
    if missing := seen.lacks(seen.contract.event_time):
        return _unjudged(missing)
    source = seen.contract.source
    enough = source.min_rows * seen.share
    sizes = {month: len(rows) for month, rows in seen.months().items()}
    if not sizes:
        return Finding(False, "no row has an event time", 0.0, enough)
    month, fewest = min(sizes.items(), key=lambda item: item[1])
    if fewest < enough:
        what = f"{month} has {fewest} rows, fewer than {enough:g}"
        return Finding(False, what, float(fewest), enough, counts=sizes)
    if not seen.usual_rows:
        what = f"every month has at least {enough:g} rows; no other month to compare with"
        return Finding(True, what, float(fewest), enough, counts=sizes)
    usual = float(np.median(seen.usual_rows)) * seen.share
    month, rows = max(sizes.items(), key=lambda item: abs(item[1] - usual))
    share = abs(rows - usual) / usual
    return Finding(
        share <= source.volume_tolerance,
        f"{month} has {rows} rows, {share:.1%} from the usual {usual:g}; "
        f"limit {source.volume_tolerance:.1%}",
        share,
        source.volume_tolerance,
        counts=sizes,
    )


def freshness(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """The newest row is neither too old nor of the future."""
    if missing := seen.lacks(seen.contract.event_time):
        return _unjudged(missing)
    newest = seen.frame[seen.contract.event_time].max()
    if pd.isna(newest):
        return Finding(False, "no row has an event time")
    age = (seen.as_of - newest.to_pydatetime()) / timedelta(days=1)
    limit = seen.contract.source.max_age_days
    what = f"the newest row is of {newest}, {age:.1f} days before {seen.as_of}"
    if age < -1:  # local time may run ahead of the clock that asks, but by less than a day
        return Finding(False, f"{what}: it is of the future", age, -1.0)
    if limit is None:
        return Finding(True, f"{what}; the contract sets no limit", age)
    return Finding(age <= limit, f"{what}; limit {limit} days", age, float(limit))


def distribution(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No column's values, or share of empty ones, moved further from the reference than allowed."""
    if seen.reference is None:
        return Finding(True, "no reference yet: nothing to compare with")
    bounds = {d.column: d for d in seen.contract.monitoring.drift}
    worst: tuple[float, float, float, str] = (-np.inf, 0.0, 0.0, "no column can be judged")
    counts: dict[str, int] = {}
    for column, values in seen.readable(columns):
        if column.name not in seen.reference:
            continue
        bound = bounds.get(column.name)
        limit = bound.threshold if bound and bound.method == "psi" else PSI_LIMIT
        null_limit = bound.max_null_shift if bound else NULL_SHIFT_LIMIT
        found = shift(seen.reference[column.name], values)
        for what, value, most in (
            ("population stability index above noise", found.excess, limit),
            ("shift of the empty share", abs(found.null_shift), null_limit),
        ):
            text = f"{column.name}: {what} {value:.3f}, limit {most:g}"
            ratio = value / most if value == value else np.inf
            worst = max(worst, (ratio, value, most, text))
            if ratio > 1:
                counts[text] = len(values)
    passed = worst[0] <= 1
    return Finding(passed, "; ".join(counts) or worst[3], worst[1], worst[2], counts=counts)


def label_rate(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """In every month some rows have a label, and their share of yes is plausible."""
    target = seen.contract.target
    if missing := seen.lacks(target.column, seen.contract.event_time):
        return _unjudged(missing)
    labels = label(seen.contract, seen.frame)
    worst: tuple[float, float, float, str] = (np.inf, 0.0, target.min_rate, "no row has a label")
    for month, rows in seen.months().items():
        known = labels[rows][~np.isnan(labels[rows])]
        if not len(known):
            return Finding(False, f"no row of {month} has a label", None, target.min_rate)
        rate = float(known.mean())
        low = rate - target.min_rate <= target.max_rate - rate
        limit = target.min_rate if low else target.max_rate
        text = (
            f"{month}: {rate:.2%} of {len(known)} labelled rows say yes, "
            f"limits {target.min_rate:.2%} to {target.max_rate:.2%}"
        )
        room = min(rate - target.min_rate, target.max_rate - rate)
        worst = min(worst, (room, rate, limit, text))
    return Finding(0 <= worst[0] < np.inf, worst[3], worst[1], worst[2])


Failing = Sequence[tuple[Column, np.ndarray, str]]


def _row_finding(seen: Inspected, failing: Failing, good: str) -> Finding:
    """A finding on rows: all are good, or these are not."""
    counts = {f"{c.name}: {reason}": int(bad.sum()) for c, bad, reason in failing if bad.any()}
    if not counts:
        return Finding(True, good, 0.0, 0.0)
    rows = len(seen.frame)
    summary = "; ".join(f"{reason} in {number} of {rows} rows" for reason, number in counts.items())
    return Finding(
        False, summary, float(sum(counts.values())), 0.0, _rows(seen, failing), dict(counts)
    )


def _rows(seen: Inspected, failing: Failing) -> tuple[dict[str, object], ...]:
    """The first failing rows of each column: what was found, and in which entity."""
    shown: list[dict[str, object]] = []
    entity = [seen.contract.column(name) for name in seen.contract.entity]
    for column, bad, reason in failing:
        for row in np.flatnonzero(bad)[: SHOWN - len(shown)]:
            cells = seen.frame.iloc[int(row)]
            named = {c.name: _shown(c, cells.get(c.name)) for c in entity}
            found = _shown(column, cells[column.name])
            shown.append({"column": column.name, "reason": reason, "found": found, **named})
    return tuple(shown)


def _shown(column: Column, value: object) -> object:
    if column.sensitivity is Sensitivity.PERSONAL:
        return MASK
    if value is None or value != value:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    return str(plain) if isinstance(plain, float) and np.isinf(plain) else plain


def _unjudged(missing: Sequence[str]) -> Finding:
    what = f"cannot be judged: {', '.join(missing)} is missing or of another type"
    return Finding(False, what)
