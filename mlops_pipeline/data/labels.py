"""Labels: what the contract's rule says of each row, and how many rows have none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract


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


def contrast(labels: np.ndarray, task: str) -> np.ndarray:
    """A yes-or-no question about labels, for what can judge no other; NaN stays.

    A number is asked whether it lies above the median.
    """
    if task == "binary":
        return labels
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
    numbers, bound = outcome.astype(np.float64), contract.target.above
    if bound is None:
        return np.full(len(numbers), np.nan)
    return np.where(np.isnan(numbers), np.nan, numbers > bound)


def _number(contract: ModelContract, outcome: np.ndarray) -> np.ndarray:
    return within_limits(contract, outcome.astype(np.float64))


_LABELS = {"binary": _above, "regression": _number}
