"""Checks against what was trusted before: distributions, columns that stopped varying, labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType, Distribution
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.distribution import distance, null_shift
from mlops_pipeline.data.inspected import Finding, Inspected, months_of, unjudged
from mlops_pipeline.data.label_noise import noise_of
from mlops_pipeline.data.labels import label, yes_or_no
from mlops_pipeline.errors import DataError

CLOCK = Distribution(method="psi", threshold=0.1)  # of the hours at which events happen
MODAL_LIMIT = 0.99  # of a reference that hardly varies itself


def distribution(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No column's values, or share of empty ones, moved further from the reference than allowed.

    Where the frame has months that the reference lacks, these alone are compared.
    """
    if seen.reference is None:
        return Finding(True, "no reference yet: nothing to compare with")
    worst: tuple[float, float, float, str] = (-np.inf, 0.0, 0.0, "no column can be judged")
    counts: dict[str, int] = {}
    for name, bound, before, now in _pairs(seen, columns):
        value, far = distance(bound.method, before, now), null_shift(before, now)
        for what, found, most in (
            (bound.method, value, bound.threshold),
            ("shift of the empty share", abs(far), bound.max_null_shift),
        ):
            text = f"{name}: {what} {found:.3f}, limit {most:g}"
            ratio = found / most if found == found else np.inf
            worst = max(worst, (ratio, found, most, text))
            if ratio > 1:
                counts[text] = len(now)
    passed = worst[0] <= 1
    return Finding(passed, "; ".join(counts) or worst[3], worst[1], worst[2], counts=counts)


def bound_of(contract: ModelContract, column: Column) -> Distribution:
    """How far the column may move: its own word, else its drift bound, else psi 0.25.

    A column that names rows and is no category grows with time; it is compared only where it says
    how.
    """
    if column.distribution is not None:
        return column.distribution
    for drift in contract.monitoring.drift:
        if drift.column == column.name and drift.method == "psi":
            return Distribution(
                method="psi", threshold=drift.threshold, max_null_shift=drift.max_null_shift
            )
    if column.name in contract.entity and column.type is not ColumnType.CATEGORY:
        return Distribution(method="none")
    return Distribution()


def _pairs(
    seen: Inspected, columns: Sequence[Column]
) -> "Iterator[tuple[str, Distribution, pd.Series[float], pd.Series[float]]]":
    """Name, bound, trusted values and present values of all that is compared."""
    assert seen.reference is not None
    rows = _new_rows(seen, seen.reference)
    newest = _newest_rows(seen, seen.reference, rows)
    for column, values in seen.readable(columns):
        bound = bound_of(seen.contract, column)
        if bound.method != "none" and column.name in seen.reference:
            before = seen.reference[column.name]
            if bound.against == "newest":
                before = before.iloc[newest]
            yield column.name, bound, before, values.iloc[rows]
    time = seen.contract.event_time
    if not seen.lacks(time) and time in seen.reference:
        own = seen.contract.column(time).distribution or CLOCK
        if own.method != "none":
            now = seen.frame[time].iloc[rows].dt.hour
            yield f"{time} (hour)", own, seen.reference[time].dt.hour, now


def _newest_rows(seen: Inspected, reference: pd.DataFrame, compared: np.ndarray) -> np.ndarray:
    """Positions of the reference's last month before the compared rows; of all where none is."""
    time = seen.contract.event_time
    every = np.arange(len(reference))
    if seen.lacks(time) or time not in reference:
        return every
    new = set(months_of(seen.frame[time].iloc[compared]))
    old = [rows for month, rows in months_of(reference[time]).items() if month not in new]
    return old[-1] if old else every


def _new_rows(seen: Inspected, reference: pd.DataFrame) -> np.ndarray:
    """Positions of the rows of months that the reference lacks; of all rows where it lacks none."""
    time = seen.contract.event_time
    every = np.arange(len(seen.frame))
    if seen.lacks(time) or time not in reference:
        return every
    known = set(months_of(reference[time]))
    new = [rows for month, rows in seen.months().items() if month not in known]
    return np.concatenate(new) if new else every


def variation(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No column that varied before holds one value alone in a month."""
    if seen.reference is None:
        return Finding(True, "no reference yet: nothing to compare with")
    if missing := seen.lacks(seen.contract.event_time):
        return unjudged(missing)
    months = seen.months()
    counts: dict[str, int] = {}
    for column, values in seen.readable(columns):
        if column.name not in seen.reference:
            continue
        before = seen.reference[column.name].dropna()
        if before.empty or before.value_counts(normalize=True).iloc[0] > MODAL_LIMIT:
            continue
        for month, rows in months.items():
            held = values.iloc[rows].dropna()
            if len(held) > 1 and held.nunique() == 1:
                counts[f"{column.name}: only {held.iloc[0]} in {month}"] = len(held)
    summary = "; ".join(counts) or "every column varies as before"
    return Finding(not counts, summary, float(len(counts)), 0.0, counts=counts)


def label_rate(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """In every month some rows have a label, and their share of yes is plausible.

    Of classes the share of each is judged; where nothing counts as yes, only that there are labels.
    """
    target = seen.contract.target
    if missing := seen.lacks(target.column, seen.contract.event_time):
        return unjudged(missing)
    if seen.contract.classes:
        return _class_rates(seen)
    if target.above is None:
        return _labels_are_there(seen)
    labels = yes_or_no(seen.contract, seen.frame)
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


def _class_rates(seen: Inspected) -> Finding:
    """In every month the share of each class lies within the target's limits."""
    target, classes = seen.contract.target, seen.contract.classes
    try:
        labels = label(seen.contract, seen.frame)
    except DataError as error:
        return Finding(False, str(error), None, None)
    worst: tuple[float, float, float, str] = (np.inf, 0.0, target.min_rate, "no row has a label")
    for month, rows in seen.months().items():
        known = labels[rows][~np.isnan(labels[rows])].astype(np.int64)
        if not len(known):
            return Finding(False, f"no row of {month} has a label", None, target.min_rate)
        rates = np.bincount(known, minlength=len(classes)) / len(known)
        for name, rate in zip(classes, rates.tolist(), strict=True):
            above, below = rate - target.min_rate, target.max_rate - rate
            limit = target.min_rate if above <= below else target.max_rate
            text = (
                f"{month}: {rate:.2%} of {len(known)} labelled rows say {name}, "
                f"limits {target.min_rate:.2%} to {target.max_rate:.2%}"
            )
            worst = min(worst, (min(above, below), rate, limit, text))
    return Finding(0 <= worst[0] < np.inf, worst[3], worst[1], worst[2])


def _labels_are_there(seen: Inspected) -> Finding:
    labels = label(seen.contract, seen.frame)
    for month, rows in seen.months().items():
        if np.isnan(labels[rows]).all():
            return Finding(False, f"no row of {month} has a label", None, None)
    return Finding(True, "every month has labels; nothing of them counts as yes", None, None)


def label_noise(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Few labels contradict what rows like theirs were sure of, overall and in every group."""
    target = seen.contract.target
    if missing := seen.lacks(target.column):
        return unjudged(missing)
    found = noise_of(seen, columns)
    if found is None:
        return Finding(True, "no column makes a label nearly certain: nothing to judge by")
    counts = {f"{found.place}: labels that contradict {found.column}": found.contradicting}
    failed = found.at_least > target.max_noise
    return Finding(
        not failed,
        f"{found.place}: at least {found.at_least:.1%} of labels contradict {found.column} "
        f"({found.contradicting} of {found.sure} rows it is sure of), limit {target.max_noise:.1%}",
        found.at_least,
        target.max_noise,
        found.rows if failed else (),
        counts if failed else {},
    )
