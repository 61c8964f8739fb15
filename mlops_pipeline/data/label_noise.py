"""Labels that rows like theirs contradict: confident learning with a histogram for a classifier.

The idea is of Northcutt, Jiang & Chuang, "Confident Learning" (2021): count the examples whose
label disagrees with a class that a model is sure of. Here the model is one column, cut into cells:
where nearly all trusted rows of a cell have one label, the others are exceptions, and their usual
share is known. What is above that share, by more than chance explains, is a lower bound of the
share of labels that were changed. No column may be that sure: then nothing is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.inspected import Inspected, failing_rows
from mlops_pipeline.data.labels import yes_or_no

CELLS = 40
SURE = 0.94  # share of one label in a cell
ENOUGH = 100  # rows of a cell, and of a group
DEVIATIONS = 4.0  # of chance, that a group's share must exceed: many groups are looked at
SLACK = 0.03  # by which the usual share of exceptions moves from month to month


@dataclass(frozen=True, slots=True)
class Noise:
    """The group with the most contradicted labels; `at_least` is the bound on their share."""

    column: str
    place: str
    sure: int
    contradicting: int
    at_least: float
    rows: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """A column's cells: `says` is 0, 1 or NaN where the cell is not sure; `usual` exceptions."""

    column: Column
    edges: np.ndarray
    says: np.ndarray
    usual: float
    covered: int


def noise_of(seen: Inspected, groups: Sequence[Column]) -> Noise | None:
    """The worst group's noise among all rows and each value of the `groups` columns.

    Judged by the reference, or where there is none by the frame itself: what is wrong in most rows
    of a cell is then taken for right.
    """
    trusted = seen.frame if seen.reference is None else seen.reference
    judges = [
        judge
        for column in seen.contract.columns
        if column.type in (ColumnType.NUMBER, ColumnType.INTEGER)
        and column.name != seen.contract.target.column
        and not seen.lacks(column.name)
        and column.name in trusted
        and (judge := _judge(seen.contract, column, trusted)) is not None
    ]
    if not judges:
        return None
    judge = max(judges, key=lambda one: one.covered)
    values = seen.frame[judge.column.name].to_numpy(dtype=np.float64)
    said = np.append(judge.says, np.nan)[_cell(judge.edges, values)]
    labels = yes_or_no(seen.contract, seen.frame)
    sure = ~np.isnan(said) & ~np.isnan(labels)
    against = sure & (said != labels)
    bounds = [
        (_at_least(int(against[rows].sum()), int(sure[rows].sum()), judge.usual), place, rows)
        for place, rows in _groups(seen, groups)
        if sure[rows].sum() >= ENOUGH
    ]
    if not bounds:
        return None
    at_least, place, rows = max(bounds, key=lambda item: item[0])
    shown = failing_rows(
        seen, [(seen.contract.column(seen.contract.target.column), against & rows, place)]
    )
    return Noise(
        judge.column.name,
        place,
        int(sure[rows].sum()),
        int(against[rows].sum()),
        at_least,
        shown,
    )


def _judge(contract: ModelContract, column: Column, trusted: pd.DataFrame) -> _Judge | None:
    values = trusted[column.name].to_numpy(dtype=np.float64)
    labels = yes_or_no(contract, trusted)
    known = ~np.isnan(labels) & np.isfinite(values)
    if not known.any():
        return None
    edges = np.unique(np.quantile(values[known], np.arange(1, CELLS) / CELLS))
    cells = _cell(edges, values)[known]
    rows = np.bincount(cells, minlength=len(edges) + 1)
    positive = np.bincount(cells, labels[known], minlength=len(edges) + 1)
    share = positive / np.maximum(rows, 1)
    says = np.where(share >= SURE, 1.0, np.where(share <= 1 - SURE, 0.0, np.nan))
    says[rows < ENOUGH] = np.nan
    sure = ~np.isnan(says)
    if not sure.any():
        return None
    exceptions = np.where(says == 1, rows - positive, positive)[sure].sum()
    covered = int(rows[sure].sum())
    return _Judge(column, edges, says, float(exceptions / covered), covered)


def _cell(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The cell of each value; the one after the last for what is no finite number."""
    cells: np.ndarray = np.searchsorted(edges, values)
    return np.where(np.isfinite(values), cells, len(edges) + 1)


def _groups(seen: Inspected, columns: Sequence[Column]) -> Iterator[tuple[str, np.ndarray]]:
    yield "all rows", np.ones(len(seen.frame), dtype=bool)
    if not seen.lacks(seen.contract.event_time):
        for month, rows in seen.months().items():
            yield month, np.isin(np.arange(len(seen.frame)), rows)
    for column, values in seen.readable(columns):
        held = values.to_numpy()
        for value in column.categories:
            yield f"{column.name}={value}", held == value


def _at_least(against: int, sure: int, usual: float) -> float:
    """A lower bound of the share of changed labels, 0 where chance and slack explain all."""
    share = against / sure
    spread = DEVIATIONS * np.sqrt(max(usual * (1 - usual), share * (1 - share)) / sure)
    return float(max(0.0, share - usual - SLACK - spread))
