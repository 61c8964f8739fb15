"""Features that know too much: each alone, against the label, on later rows.

A leak need not be monotone, and may sit in what is missing: so each feature is judged as it is, cut
into cells whose label rates are learnt on earlier rows, and by its emptiness. Source: Kaufman,
Rosset & Perlich, "Leakage in data mining" (2012), for the idea; the bounds are this house's.
"""

from dataclasses import dataclass

import numpy as np

from mlops_pipeline.features.matrix import FeatureMatrix

CERTAIN = 0.95  # no honest feature of a hard question reaches this alone
SUSPECT = 0.85
CELLS = 20


@dataclass(frozen=True, slots=True)
class Leak:
    """How well one feature alone tells the label: the area under its ROC curve, at least 0.5."""

    feature: str
    raw: float
    binned: float
    empty: float

    @property
    def most(self) -> float:
        """The highest of the three."""
        return max(self.raw, self.binned, self.empty)


def leakage_scan(
    matrix: FeatureMatrix, labels: np.ndarray, earlier: np.ndarray, later: np.ndarray
) -> tuple[Leak, ...]:
    """Every feature's areas, the most knowing first.

    `labels` are 0, 1 or NaN for each row; `earlier` and `later` are masks of rows: cells learn from
    the first and all areas are of the second.
    """
    learn = earlier & ~np.isnan(labels)
    judge = later & ~np.isnan(labels)
    leaks = []
    for position, name in enumerate(matrix.names):
        values = matrix.values[:, position]
        rates = _cell_rates(values, labels, learn, matrix.cardinalities[position])
        leaks.append(
            Leak(
                name,
                _area(np.nan_to_num(values[judge], nan=-np.inf), labels[judge]),
                _area(rates[judge], labels[judge]),
                _area(np.isnan(values[judge]).astype(np.float64), labels[judge]),
            )
        )
    return tuple(sorted(leaks, key=lambda leak: -leak.most))


def _cell_rates(
    values: np.ndarray, labels: np.ndarray, learn: np.ndarray, cardinality: int
) -> np.ndarray:
    """For each row the label rate of its cell among the rows to learn from; empty is a cell."""
    known = values[learn & ~np.isnan(values)]
    if cardinality:
        edges = np.arange(cardinality - 1) + 0.5
    elif len(known):
        edges = np.unique(np.quantile(known, np.arange(1, CELLS) / CELLS))
    else:
        edges = np.array([])
    cells = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    rows = np.bincount(cells[learn], minlength=len(edges) + 2)
    yes = np.bincount(cells[learn], labels[learn], minlength=len(edges) + 2)
    overall = yes.sum() / max(rows.sum(), 1)
    rates: np.ndarray = ((yes + overall) / (rows + 1))[cells]
    return rates


def _area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mann-Whitney's area with midranks, whichever way it points; 0.5 where one class is absent."""
    positive = labels == 1
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    area = (middle[place][positive].sum() - yes * (yes + 1) / 2) / (yes * no)
    return float(max(area, 1 - area))
