"""How a metric varies with the groups: the group bootstrap and jackknife, paired between models
by sharing their draws. `estimates` makes intervals of them.

Rows of one group (a day) share noise, so whole groups are drawn with replacement. A draw is a
vector of group weights; every metric is computed from sums over groups, so 1,000 draws cost one
matrix product instead of 1,000 passes over the rows:

* means and ratios: weights times the groups' sums;
* ROC AUC: with M[i, j] = pairs won by positives of group i against negatives of group j,
  a draw w has AUC = w M w' / (w P)(w N);
* average precision: weights times the groups' counts of rows and positives down to each score.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.evaluation import draws_classes, draws_numeric
from mlops_pipeline.evaluation.measures import takes
from mlops_pipeline.evaluation.metrics import (
    ECE_BINS,
    last_of_ties,
    quantile_bins,
    row_log_loss,
)
from mlops_pipeline.evaluation.metrics_multiclass import row_right

MAX_GROUPS = 200  # more are dealt into this many blocks, each group whole
BLOCK = 64  # draws at a time where the counts are as long as the rows


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """`weights[b, g]` is how often draw b took group g; `member` is each row's group.

    The first draws are the bootstrap's; the last, one a group, each leave that group out.
    """

    member: np.ndarray  # (n,) int
    weights: np.ndarray  # (resamples + groups, groups) float64

    @property
    def groups(self) -> int:
        """How many groups have rows."""
        return len(np.unique(self.member))

    def resampled(self, drawn: np.ndarray) -> np.ndarray:
        """Of a value in each draw, those of the bootstrap."""
        return drawn[: -self.weights.shape[1]]

    def left_out(self, drawn: np.ndarray) -> np.ndarray:
        """Of a value in each draw, those that leave out a group that has rows."""
        left: np.ndarray = drawn[-self.weights.shape[1] :][np.unique(self.member)]
        return left

    def only(self, rows: np.ndarray) -> "Draws":
        """The same draws, for some of the rows."""
        return Draws(self.member[rows], self.weights)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of per-row values in each draw, shape (draws,)."""
        summed: np.ndarray = self.weights @ self.of_groups(values)
        return summed

    def of_groups(self, values: np.ndarray) -> np.ndarray:
        """Sum of per-row values in each group, shape (groups,)."""
        return np.bincount(self.member, values, minlength=self.weights.shape[1])

    def rate(self, values: np.ndarray) -> np.ndarray:
        """Mean of per-row values in each draw, shape (draws,); NaN in a draw without rows."""
        counts = self.sums(np.ones(len(self.member)))
        empty = np.full(len(counts), np.nan)
        rates: np.ndarray = np.divide(self.sums(values), counts, out=empty, where=counts > 0)
        return rates


def draw_groups(groups: np.ndarray, *, resamples: int, seed: int) -> Draws:
    """Draws of whole groups with replacement, and the groups left out one by one.

    More than `MAX_GROUPS` groups are dealt at random into that many blocks first: blocks of
    independent groups are independent, so the interval stays valid and the cost bounded.
    """
    chance = np.random.default_rng(seed)
    names, member = np.unique(groups, return_inverse=True)
    count = len(names)
    if count > MAX_GROUPS:
        member = chance.permutation(np.arange(count) % MAX_GROUPS)[member]
        count = MAX_GROUPS
    weights = chance.multinomial(count, np.full(count, 1 / count), size=resamples)
    return Draws(member, np.concatenate([weights, 1.0 - np.eye(count)]))


def draw_metric(
    metric: str, draws: Draws, labels: np.ndarray, scores: np.ndarray, threshold: float
) -> np.ndarray:
    """The metric in each draw, shape (draws,); NaN where it is undefined, as in `measure`."""
    if not takes(metric, scores):
        return np.full(len(draws.weights), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = _OF_CLASSES if scores.ndim == 2 else _DRAWN
        return drawn[metric](draws, labels, scores, threshold)


def gain(metric: str, candidate: np.ndarray | float, champion: np.ndarray | float) -> np.ndarray:
    """Candidate against champion; positive is better, whatever the metric's direction."""
    return np.asarray(candidate - champion if HIGHER_IS_BETTER[metric] else champion - candidate)


def pairs_won(draws: Draws, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """M[i, j]: pairs that positives of group i win against negatives of group j; a tie is half."""
    width = draws.weights.shape[1]
    order = np.argsort(scores, kind="stable")
    ranked, member, yes = scores[order], draws.member[order], labels[order] == 1.0
    positive, owner = ranked[yes], member[yes]
    negative, rival = ranked[~yes], member[~yes]
    grouped = np.argsort(rival, kind="stable")  # keeps the score order within each group
    bounds = np.searchsorted(rival[grouped], np.arange(width + 1))
    won = np.zeros((width, width))
    for group in range(width):
        own = negative[grouped[bounds[group] : bounds[group + 1]]]
        if len(own):
            beaten = np.searchsorted(own, positive, "left") + np.searchsorted(
                own, positive, "right"
            )
            won[:, group] = np.bincount(owner, beaten, minlength=width) / 2
    return won


def _auc(draws: Draws, labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    won = pairs_won(draws, labels, scores)
    pairs = draws.sums(labels) * draws.sums(1.0 - labels)
    drawn: np.ndarray = ((draws.weights @ won) * draws.weights).sum(axis=1) / pairs
    return drawn


def _average_precision(
    draws: Draws, labels: np.ndarray, scores: np.ndarray, _: float
) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    member, yes = draws.member[order], labels[order]
    last = last_of_ties(scores[order])
    last = last[np.diff(np.cumsum(yes)[last], prepend=0.0) > 0]  # recall grows only at positives
    of_group = [member == group for group in range(draws.weights.shape[1])]
    seen = np.array([np.cumsum(own)[last] for own in of_group], dtype=np.float64)
    found = np.array([np.cumsum(own * yes)[last] for own in of_group])
    drawn = np.empty(len(draws.weights))
    for start in range(0, len(drawn), BLOCK):
        weights = draws.weights[start : start + BLOCK]
        rows, hits = weights @ seen, weights @ found
        precision = np.divide(hits, rows, out=np.zeros_like(hits), where=rows > 0)
        won = (np.diff(hits, prepend=0.0, axis=1) * precision).sum(axis=1)
        drawn[start : start + BLOCK] = won / (weights @ draws.of_groups(labels))
    return drawn


def _means(values: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> "_Drawn":
    def drawn(draws: Draws, labels: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
        return draws.rate(values(labels, scores, threshold))

    return drawn


def _ece(draws: Draws, labels: np.ndarray, scores: np.ndarray, _: float) -> np.ndarray:
    place = quantile_bins(scores, ECE_BINS) if len(scores) else np.empty(0, dtype=int)
    errors = labels - scores
    off = sum(np.abs(draws.sums(errors * (place == bin_))) for bin_ in np.unique(place))
    return np.asarray(off / draws.sums(np.ones(len(labels))))


def _f1(draws: Draws, labels: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    answers = (scores > threshold) * 1.0
    return np.asarray(2 * draws.sums(answers * labels) / (draws.sums(answers) + draws.sums(labels)))


def _macro_auc(draws: Draws, labels: np.ndarray, scores: np.ndarray, bar: float) -> np.ndarray:
    classes = range(scores.shape[1])
    drawn = [_auc(draws, (labels == k) * 1.0, scores[:, k], bar) for k in classes]
    return np.asarray(np.mean(drawn, axis=0))


def _confidence_ece(draws: Draws, labels: np.ndarray, scores: np.ndarray, bar: float) -> np.ndarray:
    return _ece(draws, row_right(labels, scores), scores.max(axis=1), bar)


_Drawn = Callable[[Draws, np.ndarray, np.ndarray, float], np.ndarray]

_DRAWN: dict[str, _Drawn] = {
    "roc_auc": _auc,
    "average_precision": _average_precision,
    "log_loss": _means(lambda labels, scores, _: row_log_loss(labels, scores)),
    "brier": _means(lambda labels, scores, _: (scores - labels) ** 2),
    "ece": _ece,
    "accuracy": _means(lambda labels, scores, cut: ((scores > cut) == (labels == 1.0)) * 1.0),
    "f1": _f1,
    **draws_numeric.DRAWN,
}
_OF_CLASSES: dict[str, _Drawn] = {
    **draws_classes.DRAWN,
    "macro_roc_auc": _macro_auc,
    "confidence_ece": _confidence_ece,
}
