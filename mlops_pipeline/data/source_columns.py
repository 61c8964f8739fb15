"""Which columns the source had, month by month: what a contract leaves out stays visible.

Kept beside the partitions and no part of a snapshot, so that equal rows have an equal digest:
`<root>/.columns/<model>/<month>/00000001.json`, numbered, each written once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype

from mlops_pipeline.data.numbered import append_record, last_number, read_record

COLUMNS = ".columns"
EMPTY = "empty"
KINDS = {
    "string": "text",
    "floating": "number",
    "integer": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "boolean": "flag",
    "datetime": "time",
    "empty": EMPTY,
}

Kinds = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column that was added, removed or retyped."""

    column: str
    change: str  # added | removed | retyped
    before: str
    now: str

    def __str__(self) -> str:
        if self.change == "retyped":
            return f"{self.column} retyped: was {self.before}, is {self.now}"
        return f"{self.column} {self.change} ({self.now or self.before})"


def kinds_of(frame: pd.DataFrame) -> dict[str, str]:
    """Each column as text, number, flag, time or empty, whatever dtype holds it.

    A whole number and a fraction are one kind: one empty cell turns the first into the second.
    """
    return {str(name): _kind(frame[name]) for name in frame.columns}


def changes(before: Kinds, now: Kinds) -> tuple[ColumnChange, ...]:
    """How the columns differ, by name; one without any value may be of any kind."""
    return tuple(_changes(before, now))


def note_columns(root: Path, model: str, key: str, kinds: Kinds) -> None:
    """The partition's source had these columns when it was read last."""
    folder = root / COLUMNS / model / key
    while True:
        number = last_number(folder)
        if number and read_record(folder, number, dict[str, str]) == kinds:
            return
        if append_record(folder, number + 1, kinds):
            return


def noted_columns(root: Path, model: str) -> dict[str, dict[str, str]]:
    """What was noted last of each partition, in the order of time."""
    folders = sorted(path for path in (root / COLUMNS / model).glob("*") if path.is_dir())
    return {f.name: read_record(f, last_number(f), dict[str, str]) for f in folders}


@dataclass(frozen=True, slots=True)
class NotedMonth:
    """The columns of one month's source, and how they differ from the noted month before."""

    month: str
    columns: Kinds
    changes: tuple[ColumnChange, ...]


def history_of_columns(root: Path, model: str) -> tuple[NotedMonth, ...]:
    """Every noted month, in the order of time."""
    noted = list(noted_columns(root, model).items())
    before = [kinds for _, kinds in noted[:1] + noted]
    return tuple(
        NotedMonth(month, kinds, changes(was, kinds))
        for (month, kinds), was in zip(noted, before, strict=False)
    )


def _changes(before: Kinds, now: Kinds) -> Iterator[ColumnChange]:
    for name, kind in now.items():
        was = before.get(name)
        if was is None:
            yield ColumnChange(name, "added", "", kind)
        elif was != kind and EMPTY not in (was, kind):
            yield ColumnChange(name, "retyped", was, kind)
    for name, was in before.items():
        if name not in now:
            yield ColumnChange(name, "removed", was, "")


def _kind(values: "pd.Series[float]") -> str:
    if values.dtype.kind == "M":
        zone = getattr(values.dtype, "tz", None)
        return "time" if zone is None else f"time in {zone}"
    if is_bool_dtype(values):
        return "flag"
    if is_numeric_dtype(values):
        return "number" if values.notna().any() else EMPTY
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.dtype.categories.dtype)
    found = infer_dtype(values, skipna=True)
    return KINDS.get(found, found)
