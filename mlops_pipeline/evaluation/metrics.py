"""What scores of yes are worth against their labels; each metric is a pure function.

`labels` are 0.0 or 1.0 and `scores` probabilities of 1, both of shape (n,). A metric that these
rows do not define is NaN: it never passes a gate.
"""

import numpy as np

ECE_BINS = 15
SMALLEST = 1e-15  # a score of exactly 0 or 1 that is wrong costs as much as this


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of (positive, negative) pairs that the scores rank rightly; a tie counts half.

    The Mann-Whitney form: Hanley & McNeil 1982, Radiology 143(1), eq. 1.
    """
    positive, negative = scores[labels == 1.0], np.sort(scores[labels == 0.0])
    if not len(positive) or not len(negative):
        return float("nan")
    below = np.searchsorted(negative, positive, "left")
    not_above = np.searchsorted(negative, positive, "right")
    return float((below + not_above).mean() / (2 * len(negative)))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean precision over the positives, each at its own score: sum of (R_k - R_{k-1}) * P_k."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    if not len(labels) or hits[-1] == 0:
        return float("nan")
    last = last_of_ties(scores[order])
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(hits[last], prepend=0.0) * precision) / hits[-1])


def log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean of -ln(probability given to what happened)."""
    return _mean(row_log_loss(labels, scores))


def brier(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared distance of score and label (Brier 1950)."""
    return _mean((scores - labels) ** 2)


def ece(labels: np.ndarray, scores: np.ndarray, bins: int = ECE_BINS) -> float:
    """Expected calibration error: mean |observed rate - mean score| over quantile bins of scores.

    Biased upward on few rows even for a perfect model: read it beside `ece_consistency`.
    """
    if not len(labels):
        return float("nan")
    place = quantile_bins(scores, bins)
    return float(np.abs(np.bincount(place, labels - scores)).sum() / len(labels))


def accuracy(labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> float:
    """Share of rows whose answer (score above the threshold) is the label."""
    return _mean((scores > threshold) == (labels == 1.0))


def f1(labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> float:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
    answers = scores > threshold
    hits = float(labels[answers].sum())
    total = float(answers.sum() + labels.sum())
    return 2 * hits / total if total else float("nan")


def usable(scores: np.ndarray) -> bool:
    """Every score is a probability: NaN and infinity are not."""
    return bool(((scores >= 0.0) & (scores <= 1.0)).all())


def ece_consistency(
    labels: np.ndarray, scores: np.ndarray, *, draws: int = 500, seed: int
) -> float:
    """P-value of "calibrated": how often labels drawn from the scores have an ECE as large.

    Consistency resampling, Bröcker & Smith 2007, Weather and Forecasting 22(3), section 3. The
    drawn labels are independent; where rows share noise the p-value is too small.
    """
    if not len(labels) or not usable(scores):
        return float("nan")
    chance = np.random.default_rng(seed)
    order = np.argsort(quantile_bins(scores, ECE_BINS), kind="stable")
    place = quantile_bins(scores, ECE_BINS)[order]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ranked = scores[order]
    expected = np.add.reduceat(ranked, starts)
    found = ece(labels, scores) * len(labels)
    larger = sum(
        float(
            np.abs(
                np.add.reduceat((chance.random(len(ranked)) < ranked) * 1.0, starts) - expected
            ).sum()
        )
        >= found - 1e-9
        for _ in range(draws)
    )
    return (1 + larger) / (1 + draws)


def row_log_loss(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log-loss of each row."""
    given = np.where(labels == 1.0, scores, 1.0 - scores)
    losses: np.ndarray = -np.log(np.clip(given, SMALLEST, 1.0))
    return losses


def quantile_bins(scores: np.ndarray, bins: int) -> np.ndarray:
    """Bin of each score, 0 … at most bins - 1; equal scores share a bin."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, scores, "right")


def last_of_ties(ordered: np.ndarray) -> np.ndarray:
    """Index of the last row of each run of equal scores, in an ordered array."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
