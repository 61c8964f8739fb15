"""Whether two versions' answers to the same requests are distributed alike.

Scores that each moved little may together have left a region altogether (everybody is a little more
likely to be late: nobody is above the threshold any more). The population stability index over ten
quantile cells of the stable's scores sees that. It is not anytime-valid, so it can only hold a
rollout, never end one, and what two samples of one distribution differ by on average is taken off.
"""

from collections.abc import Sequence

import numpy as np

CELLS = 10
LEAST = 100  # pairs below which nothing is said


def score_psi(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The index between the two columns beyond its noise, at least 0; None for too few pairs.

    Noise floor of independent samples: (cells - 1)(1/n + 1/m); pairs differ by less, so that the
    index errs on the quiet side.
    """
    if len(pairs) < LEAST:
        return None
    scores = np.asarray(pairs, float)
    edges = np.unique(np.quantile(scores[:, 0], np.linspace(0, 1, CELLS + 1)[1:-1]))
    cells = [np.searchsorted(edges, column, side="right") for column in scores.T]
    counts = [np.bincount(cell, minlength=edges.size + 1) + 0.5 for cell in cells]
    before, after = (count / count.sum() for count in counts)
    index = float(((after - before) * np.log(after / before)).sum())
    return max(0.0, index - edges.size * 2 / len(pairs))
