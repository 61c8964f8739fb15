"""Labels: what the contract's rule says of each row, and how many rows have none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import DataError


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Rows with and without a label; `positive` are those labelled yes, where that is the task."""

    labelled: int
    unlabelled: int
    positive: int

    @property
    def rate(self) -> float | None:
        """Share of yes among the labelled rows; None where there is none."""
        return self.positive / self.labelled if self.labelled else None


def label(contract: ModelContract, frame: pd.DataFrame) -> np.ndarray:
    """What a model learns of each row, float64 of shape (rows,); NaN where the outcome is empty.

    binary: 1.0 above the bound, else 0.0. regression: the number, held within its limits.
    multiclass: the place of the class among the contract's.

    Raises:
        DataError: an outcome is none of the classes.
    """
    return _LABELS[contract.task](contract, frame[contract.target.column].to_numpy())


def yes_or_no(contract: ModelContract, frame: pd.DataFrame) -> np.ndarray:
    """1.0 where a row counts as yes, 0.0 where not; NaN where it is empty or nothing says yes.

    The label of a binary task; in any task what history features and label rates count.
    """
    return yes_of(contract, frame[contract.target.column].to_numpy())


def yes_of(contract: ModelContract, outcome: np.ndarray) -> np.ndarray:
    """`yes_or_no` of values of the target's column."""
    return _above(contract, outcome)


def within_limits(contract: ModelContract, labels: np.ndarray) -> np.ndarray:
    """Labels held within the target's limits, where it has any; NaN stays."""
    target = contract.target
    if target.lowest is None and target.highest is None:
        return labels
    held: np.ndarray = np.clip(labels, target.lowest, target.highest)
    return held


def contrast(labels: np.ndarray, task: str, *, usual: np.ndarray | None = None) -> np.ndarray:
    """A yes-or-no question about labels, for what can judge no other; NaN stays.

    A number is asked whether it lies above the median, a class whether it is the commonest among
    the labels `usual` (where missing: of these).
    """
    if task == "binary":
        return labels
    if task == "multiclass":
        names, counts = np.unique(labels if usual is None else usual, return_counts=True)
        known = ~np.isnan(names)
        commonest = names[known][counts[known].argmax()] if known.any() else np.nan
        return np.where(np.isnan(labels), np.nan, labels == commonest)
    return np.where(np.isnan(labels), np.nan, labels > np.nanmedian(labels))


def label_counts(contract: ModelContract, frame: pd.DataFrame) -> LabelCounts:
    """How many rows have a label, and how many of these say yes."""
    unlabelled = int(np.isnan(label(contract, frame)).sum())
    yes = int(np.nansum(yes_or_no(contract, frame)))
    return LabelCounts(len(frame) - unlabelled, unlabelled, yes)


def days(contract: ModelContract, frame: pd.DataFrame) -> np.ndarray:
    """The day of each row's event time, as a number of days since 1970-01-01 (int64)."""
    times = frame[contract.event_time].to_numpy(dtype="datetime64[ns]")
    return times.astype("datetime64[D]").astype(np.int64)


def _above(contract: ModelContract, outcome: np.ndarray) -> np.ndarray:
    bound = contract.target.above
    if bound is None:
        return np.full(len(outcome), np.nan)
    numbers = outcome.astype(np.float64)
    return np.where(np.isnan(numbers), np.nan, numbers > bound)


def _number(contract: ModelContract, outcome: np.ndarray) -> np.ndarray:
    return within_limits(contract, outcome.astype(np.float64))


def _class(contract: ModelContract, outcome: np.ndarray) -> np.ndarray:
    bounds = contract.target.bounds
    if bounds:
        numbers = outcome.astype(np.float64)
        return np.where(np.isnan(numbers), np.nan, np.searchsorted(bounds, numbers, "left"))
    place = {name: float(code) for code, name in enumerate(contract.classes)}
    codes, distinct = pd.factorize(outcome)  # what is missing has the code -1
    known = [place.get(_said(value), -1.0) for value in distinct.tolist()]
    if -1.0 in known:
        odd = distinct.tolist()[known.index(-1.0)]
        raise DataError(
            f"{contract.target.column} holds {odd!r}, which is none of the classes "
            f"{', '.join(contract.classes)}: list it in target.classes, or leave such rows out"
        )
    labels: np.ndarray = np.array([*known, np.nan])[codes]
    return labels


def _said(value: object) -> str:
    """A value as a class is named: whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


_LABELS = {"binary": _above, "regression": _number, "multiclass": _class}
