"""How large a drift statistic gets where nothing drifted, only because samples are small.

A threshold is written for distributions; what is measured are samples. The limit that a statistic
is held against is the threshold with that noise added, so that a small window or a column of many
categories raises no alarm by itself:

* PSI times nm/(n + m) is distributed as chi-square with cells - 1 degrees of freedom (Yurdakul
  2018): its quantile is added.
* Jensen-Shannon distance: its square is a divergence with an eighth of PSI's noise, so the limit is
  the root of threshold² + PSI's noise / 8.
* Wasserstein distance over the reference's deviation: the empirical process's integral has the
  mean sqrt(2/π) ∫ sqrt(F(1 - F)) dx / σ times sqrt(1/n + 1/m) (del Barrio, Giné & Matrán 1999,
  Annals of Probability 27(2), for one sample), and exceeds it by sqrt(2 ln(1/δ)) in the same unit
  with probability at most δ: a Gaussian maximum whose variance is at most that of the column
  (Borell's inequality). Both are added.
* Kolmogorov-Smirnov gives a p-value, which counts the rows itself: nothing is added.

Over m columns each is allowed a share of the false alarms (Bonferroni), so that a window in which
nothing changed drifts with at most the contract's probability, however the columns hang together.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import chdtri

QUANTILE = 0.99  # of "no change", where nobody says otherwise
DISCRETE = 20  # Evidently compares numbers of at most so many distinct values one by one


def limit_of(
    method: str,
    threshold: float,
    reference: "pd.Series[float]",
    current: "pd.Series[float]",
    *,
    chance: float = 1 - QUANTILE,
    columns: int = 1,
) -> float:
    """What the statistic is held against for samples of these sizes; both without missing values.

    For `ks` it is the p-value below which a column has drifted.

    Args:
        chance: of a false alarm, over all of the `columns`.
    """
    if method == "ks":
        return threshold / columns
    alone = chance / columns
    if method == "wasserstein":
        return threshold + _wasserstein_noise(reference.to_numpy(np.float64), len(current), alone)
    noise = psi_noise(cells_of(reference, current), len(reference), len(current), alone)
    if method == "jensenshannon":
        return math.sqrt(threshold**2 + noise / 8)
    return threshold + noise


def psi_noise(
    cells: int, reference_rows: int, current_rows: int, chance: float = 1 - QUANTILE
) -> float:
    """What PSI exceeds with that chance between two samples of one distribution."""
    if cells < 2:
        return 0.0
    return float(chdtri(cells - 1, chance)) * (1 / reference_rows + 1 / current_rows)


def cells_of(reference: "pd.Series[float]", current: "pd.Series[float]") -> int:
    """In how many cells Evidently counts rows: one a value, or Sturges' number of intervals."""
    if reference.dtype != object and reference.nunique() > DISCRETE:
        return math.ceil(math.log2(len(reference) + len(current))) + 1
    return len(set(reference.unique()) | set(current.unique()))


def _wasserstein_noise(reference: np.ndarray, current_rows: int, chance: float) -> float:
    ordered = np.sort(reference)
    rows = len(ordered)
    below = np.arange(1, rows) / rows
    spread = float(np.sum(np.sqrt(below * (1 - below)) * np.diff(ordered)))
    deviation = max(float(ordered.std()), 0.001)  # as Evidently norms it
    mean = math.sqrt(2 / math.pi) * spread / deviation
    beyond = math.sqrt(2 * math.log(1 / chance))
    return (mean + beyond) * math.sqrt(1 / rows + 1 / current_rows)
