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
    nulls = null_shift(reference, current)
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


def null_shift(reference: "pd.Series[float]", current: "pd.Series[float]") -> float:
    """Share of missing values, current less reference; NaN where there are no rows."""
    return float(current.isna().mean() - reference.isna().mean()) if len(current) else np.nan


def distance(method: str, reference: "pd.Series[float]", current: "pd.Series[float]") -> float:
    """How far apart the samples lie by `method`, missing values apart; infinite where one is empty.

    `psi` is the excess over its noise; `jensenshannon` the distance in nats, over the same cells;
    `wasserstein` the mean transport in standard deviations of the reference; `ks` the largest gap
    of the cumulative shares. The last two are of numbers.
    """
    if method == "psi":
        return shift(reference, current).excess
    before, now = reference.dropna(), current.dropna()
    if before.empty or now.empty:
        return 0.0 if before.empty and now.empty else np.inf
    if method == "jensenshannon" or before.dtype == object:
        return _jensen_shannon(*_cells(before, now, 10))
    first, second = (np.sort(v.to_numpy(dtype=np.float64)) for v in (before, now))
    every = np.unique(np.concatenate([first, second]))
    gap = np.abs(
        np.searchsorted(first, every, "right") / len(first)
        - np.searchsorted(second, every, "right") / len(second)
    )
    if method == "ks":
        return float(gap.max())
    spread = float(first.std()) or 1.0
    return float(np.sum(gap[:-1] * np.diff(every)) / spread)


def _jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.nansum(side * np.log(side / middle)) for side in (p, q)]
    return float(np.sqrt(max(0.0, sum(parts) / 2)))


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
