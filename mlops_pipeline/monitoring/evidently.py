"""Evidently, which measures how far columns lie apart; the only importer of it.

Left to itself it guesses each column's kind from the data, changes its method with the number of
rows, skips types that it does not know, and ignores what is missing. Here every column has its
kind, method and threshold in words, and numpy's own types; `drift` guards the rest.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mlops_pipeline.errors import MonitoringError


@dataclass(frozen=True, slots=True)
class Watched:
    """One column and how it is compared; `limit` is drawn into the page."""

    column: str
    kind: Literal["number", "category"]
    method: str
    limit: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The statistic of each column, and Evidently's own page about them (HTML, works offline)."""

    values: dict[str, float]
    page: bytes


def measure(reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Watched]) -> Measured:
    """The contract's statistic of every column, missing values apart.

    Raises:
        MonitoringError: a column is not in a frame, is of a type that Evidently would skip, or has
            no value at all.
    """
    for which, frame in (("reference", reference), ("current", current)):
        for watched in columns:
            _require_usable(which, frame, watched)
    if not columns:
        return Measured({}, b"")
    names = [watched.column for watched in columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports and its arithmetic on constant columns
        return _run(reference[names], current[names], columns)


def _run(reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[Watched]) -> Measured:
    from evidently import DataDefinition, Dataset, Report  # takes seconds
    from evidently.metrics import ValueDrift

    kinds = DataDefinition(
        numerical_columns=[w.column for w in columns if w.kind == "number"],
        categorical_columns=[w.column for w in columns if w.kind == "category"],
    )
    metrics = [ValueDrift(column=w.column, method=w.method, threshold=w.limit) for w in columns]
    snapshot = Report(metrics).run(
        Dataset.from_pandas(current, kinds), Dataset.from_pandas(reference, kinds)
    )
    found = {
        metric["config"]["column"]: float(metric["value"]) for metric in snapshot.dict()["metrics"]
    }
    if set(found) != {watched.column for watched in columns}:
        raise MonitoringError(f"Evidently measured {sorted(found)} of {len(columns)} columns")
    return Measured(found, snapshot.get_html_str(as_iframe=False).encode())


def _require_usable(which: str, frame: pd.DataFrame, watched: Watched) -> None:
    if watched.column not in frame:
        raise MonitoringError(f"{which} has no column {watched.column!r}")
    values = frame[watched.column]
    wanted = np.dtype(np.float64) if watched.kind == "number" else np.dtype(object)
    if values.dtype != wanted:
        raise MonitoringError(
            f"{which}: column {watched.column!r} is {values.dtype}; a {watched.kind} is {wanted}"
        )
    if watched.kind == "number" and np.isinf(values.to_numpy()).any():
        raise MonitoringError(f"{which}: column {watched.column!r} holds an infinite number")
    if not values.notna().any():
        raise MonitoringError(f"{which}: column {watched.column!r} has no value")
