"""How far two samples of one column lie apart: the population stability index, and its noise.

Source: the index is the symmetrised Kullback-Leibler divergence of binned shares (Jeffreys 1946),
as credit scoring uses it: Yurdakul, "Statistical properties of the population stability index"
(2018), which also gives its mean under equal distributions, (cells - 1)(1/n + 1/m).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SMOOTHING = 0.5  # rows added to each cell, so that an empty one costs much and not all


@dataclass(frozen=True, slots=True)
class Shift:
    """The index between two samples, and what it is on average where nothing changed."""

    psi: float
    noise: float
    cells: int
    null_shift: float  # share of missing values, current less reference

    @property
    def excess(self) -> float:
        """The index above its noise; 0 where it is below."""
        return max(0.0, self.psi - self.noise)


def shift(reference: "pd.Series[float]", current: "pd.Series[float]", bins: int = 10) -> Shift:
    """How far `current` lies from `reference`, missing values apart.

    Texts, and numbers of at most `bins` distinct values, are compared value by value; other numbers
    in cells that hold equal shares of the reference. A sample without values is infinitely far.
    """
    nulls = float(current.isna().mean() - reference.isna().mean()) if len(current) else np.nan
    before, now = reference.dropna(), current.dropna()
    if before.empty or now.empty:
        same = before.empty and now.empty
        return Shift(0.0 if same else np.inf, 0.0, 0, nulls)
    first, second = _cells(before, now, bins)
    cells = len(first)
    p = (first + SMOOTHING) / (first.sum() + SMOOTHING * cells)
    q = (second + SMOOTHING) / (second.sum() + SMOOTHING * cells)
    index = float(np.sum((q - p) * np.log(q / p)))
    return Shift(index, noise_floor(cells, len(before), len(now)), cells, nulls)


def psi(reference: "pd.Series[float]", current: "pd.Series[float]", bins: int = 10) -> float:
    """The population stability index alone: at least 0, and 0 for equal shares."""
    return shift(reference, current, bins).psi


def noise_floor(cells: int, reference_rows: int, current_rows: int) -> float:
    """The mean of the index between two samples of one distribution."""
    return (cells - 1) * (1 / reference_rows + 1 / current_rows)


def _cells(
    reference: "pd.Series[float]", current: "pd.Series[float]", bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row counts of both samples in the same cells."""
    if reference.dtype == object or reference.nunique() <= bins:
        first, second = reference.value_counts(), current.value_counts()
        every = first.index.union(second.index)
        return (
            first.reindex(every, fill_value=0).to_numpy(dtype=np.float64),
            second.reindex(every, fill_value=0).to_numpy(dtype=np.float64),
        )
    values = reference.to_numpy(dtype=np.float64)
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    found = (np.searchsorted(edges, v) for v in (values, current.to_numpy(dtype=np.float64)))
    counts = [np.bincount(cell, minlength=len(edges) + 1).astype(np.float64) for cell in found]
    return counts[0], counts[1]
