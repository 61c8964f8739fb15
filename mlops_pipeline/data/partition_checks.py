"""Checks of partitions: enough rows, none too old, no days left out, no month copied."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.data.inspected import Finding, Inspected, failing_rows, months_of, unjudged

COPIED_LIMIT = 0.02  # of a month's rows that stand in another one too, at the same place
JUDGED = 50  # a month of fewer rows may repeat another by chance


def volume(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Each month has enough rows, and about as many as months usually have."""
    if missing := seen.lacks(seen.contract.event_time):
        return unjudged(missing)
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
        return unjudged(missing)
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


def late_partitions(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No more days in a row are without rows than may be, from the first month's start to the
    last one's end."""
    if missing := seen.lacks(seen.contract.event_time):
        return unjudged(missing)
    limit = seen.contract.source.max_gap_days
    if limit is None:
        return Finding(True, "the contract sets no limit to days without rows")
    times = seen.frame[seen.contract.event_time].dropna()
    if times.empty:
        return Finding(False, "no row has an event time")
    found = np.unique(times.to_numpy(dtype="datetime64[D]"))
    months = found.astype("datetime64[M]")
    first = months[0].astype("datetime64[D]") - 1
    asked = np.datetime64(seen.as_of.date())
    last = min((months[-1] + 1).astype("datetime64[D]"), max(asked, found[-1] + 1))
    days = np.concatenate(([first], found, [last]))
    gaps = np.diff(days).astype(np.int64) - 1
    place = int(gaps.argmax())
    gap = int(gaps[place])
    what = f"{gap} days without rows after {days[place]}, limit {limit}"
    return Finding(gap <= limit, what, float(gap), float(limit))


def copied_partitions(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No month repeats another one: the same rows at the same place of the month."""
    if missing := seen.lacks(seen.contract.event_time):
        return unjudged(missing)
    names = [column.name for column, _ in seen.readable(columns)]
    frames = [seen.frame]
    if seen.reference is not None and set(names) <= set(seen.reference):
        known = set(seen.months())
        times = seen.reference[seen.contract.event_time]
        other = [rows for month, rows in months_of(times).items() if month not in known]
        if other:
            frames.append(seen.reference.iloc[np.concatenate(other)])
    marks = np.concatenate([_marks(seen, frame, names) for frame in frames])
    times = pd.concat([frame[seen.contract.event_time] for frame in frames])
    month = times.to_numpy(dtype="datetime64[M]").astype(np.int64)
    pairs = pd.DataFrame({"mark": marks, "month": month}).drop_duplicates()
    again = set(pairs["mark"][pairs["mark"].duplicated(keep=False)])
    copied = np.isin(marks[: len(seen.frame)], list(again))
    worst: tuple[float, str] = (0.0, "no month repeats another")
    for name, rows in seen.months().items():
        if len(rows) >= JUDGED:
            share = float(copied[rows].mean())
            text = f"{share:.1%} of the rows of {name} stand in another month too"
            worst = max(worst, (share, f"{text}, limit {COPIED_LIMIT:.0%}"))
    failed = worst[0] > COPIED_LIMIT
    time = seen.contract.column(seen.contract.event_time)
    reason = "stands in another month too"
    first = failing_rows(seen, [(time, copied, reason)]) if failed else ()
    counts = {reason: int(copied.sum())} if failed else {}
    return Finding(not failed, worst[1], worst[0], COPIED_LIMIT, first, counts)


def _marks(seen: Inspected, frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """One number for each row: its values, and its place within the month."""
    times = frame[seen.contract.event_time].to_numpy(dtype="datetime64[s]")
    offset = (times - times.astype("datetime64[M]").astype("datetime64[s]")).astype(np.int64)
    values = pd.DataFrame({name: frame[name].to_numpy() for name in names}).assign(_at=offset)
    marks: np.ndarray = pd.util.hash_pandas_object(values, index=False).to_numpy()
    return marks


def identifying(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Columns whose values together do not repeat by chance: all but times."""
    return tuple(column for column in columns if column.type is not ColumnType.TIME)
