"""Labels of a binary task: what the contract's rule says of each row, and how many have none."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Rows with and without a label; `positive` are those labelled yes."""

    labelled: int
    unlabelled: int
    positive: int

    @property
    def rate(self) -> float | None:
        """Share of yes among the labelled rows; None where there is none."""
        return self.positive / self.labelled if self.labelled else None


def label(contract: ModelContract, frame: pd.DataFrame) -> np.ndarray:
    """1.0 where the target's column is above the bound, 0.0 where it is not, NaN where it is empty.

    Float64 of shape (rows,).
    """
    outcome = frame[contract.target.column].to_numpy(dtype=np.float64)
    labels: np.ndarray = np.where(np.isnan(outcome), np.nan, outcome > contract.target.above)
    return labels


def label_counts(contract: ModelContract, frame: pd.DataFrame) -> LabelCounts:
    """How many rows have a label, and how many of these say yes."""
    labels = label(contract, frame)
    unlabelled = int(np.isnan(labels).sum())
    return LabelCounts(len(labels) - unlabelled, unlabelled, int(np.nansum(labels)))


def days(contract: ModelContract, frame: pd.DataFrame) -> np.ndarray:
    """The day of each row's event time, as a number of days since 1970-01-01 (int64)."""
    times = frame[contract.event_time].to_numpy(dtype="datetime64[ns]")
    return times.astype("datetime64[D]").astype(np.int64)
