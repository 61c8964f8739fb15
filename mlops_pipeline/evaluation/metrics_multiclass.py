"""What scores over several classes are worth: `labels` (n,) in 0 … k-1, `scores` (n, k).

Each row of `scores` are the probabilities of the classes. A metric that these rows do not define is
NaN: it never passes a gate.
"""

import numpy as np

from mlops_pipeline.evaluation.metrics import SMALLEST, ece, roc_auc


def log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean of -ln(probability given to the class that happened)."""
    return float(row_log_loss(labels, scores).mean()) if len(labels) else float("nan")


def brier(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared distance of scores and the class, summed over classes (Brier 1950)."""
    return float(row_brier(labels, scores).mean()) if len(labels) else float("nan")


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of rows whose likeliest class is the one that happened."""
    return float(row_right(labels, scores).mean()) if len(labels) else float("nan")


def f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN); a class that nobody names counts 0."""
    if not len(labels):
        return float("nan")
    answers = scores.argmax(axis=1)
    found = []
    for name in np.union1d(labels, answers):
        hits = float(((answers == name) & (labels == name)).sum())
        found.append(2 * hits / float((answers == name).sum() + (labels == name).sum()))
    return float(np.mean(found))


def roc_auc_ovr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean AUC of each class against the rest; NaN where a class never or always happened."""
    found = [roc_auc((labels == k) * 1.0, scores[:, k]) for k in range(scores.shape[1])]
    return float(np.mean(found)) if found else float("nan")


def confidence_ece(labels: np.ndarray, scores: np.ndarray) -> float:
    """Calibration error of the likeliest class (Guo et al. 2017, arXiv 1706.04599, eq. 3)."""
    if not len(labels):
        return float("nan")
    return ece(row_right(labels, scores), scores.max(axis=1))


def row_right(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """1.0 where the likeliest class is the one that happened; of equals, the first counts."""
    return np.asarray((scores.argmax(axis=1) == labels) * 1.0)


def row_log_loss(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log-loss of each row."""
    given = scores[np.arange(len(labels)), labels.astype(np.int64)]
    losses: np.ndarray = -np.log(np.clip(given, SMALLEST, 1.0))
    return losses


def row_brier(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Squared distance of each row's scores and its class, summed over classes."""
    happened = np.eye(scores.shape[1])[labels.astype(np.int64)]
    return np.asarray(((scores - happened) ** 2).sum(axis=1))
