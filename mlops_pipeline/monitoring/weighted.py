"""Metrics of rows that were not all equally likely to get a label: each counts by its weight.

The weight of a row is one over the probability with which it was chosen (Horvitz & Thompson 1952,
JASA 47(260)); sums are taken of weighted rows and ratios of the sums. With equal weights each
metric is that of `evaluation.measures`.
"""

from collections.abc import Callable

import numpy as np

from mlops_pipeline.evaluation import metrics_multiclass
from mlops_pipeline.evaluation.intervals import Draws
from mlops_pipeline.evaluation.measures import takes
from mlops_pipeline.evaluation.metrics import ECE_BINS, quantile_bins, row_log_loss
from mlops_pipeline.evaluation.metrics_numeric import row_pinball

Weighted = Callable[[np.ndarray, np.ndarray, np.ndarray, float], float]


def measure(
    metric: str, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, threshold: float
) -> float:
    """The metric of that name; NaN where the rows do not define it."""
    if not len(labels) or not takes(metric, scores) or not weights.sum() > 0:
        return float("nan")
    known = OF_CLASSES if scores.ndim == 2 else WEIGHTED
    return known[metric](labels, scores, weights, threshold)


def draw(
    metric: str,
    draws: Draws,
    labels: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    threshold: float,
) -> np.ndarray:
    """The metric in each draw of whole groups, shape (draws,)."""
    return np.array(
        [
            measure(metric, labels, scores, weights * of_group[draws.member], threshold)
            for of_group in draws.weights
        ]
    )


def _auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, _: float) -> float:
    member = np.unique(scores, return_inverse=True)[1]
    yes, no = np.bincount(member, weights * labels), np.bincount(member, weights * (1 - labels))
    pairs = float(yes.sum() * no.sum())
    won = float((yes * (np.cumsum(no) - no / 2)).sum())
    return won / pairs if pairs > 0 else float("nan")


def _average_precision(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, _: float
) -> float:
    order = np.argsort(-scores, kind="stable")
    ranked, hits, every = scores[order], weights * labels, weights
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found, seen = np.cumsum(hits[order])[last], np.cumsum(every[order])[last]
    if not found[-1] > 0:
        return float("nan")
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    gained = np.diff(found, prepend=0.0) * precision
    return float(gained.sum()) / float(found[-1])


def _f1(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, threshold: float) -> float:
    answers = scores > threshold
    total = float((weights * answers).sum() + (weights * labels).sum())
    return float(2 * (weights * labels)[answers].sum() / total) if total > 0 else float("nan")


def _ece(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, _: float) -> float:
    place = quantile_bins(scores, ECE_BINS)
    off = np.bincount(place, weights * (labels - scores))
    return float(np.abs(off).sum()) / float(weights.sum())


def _rmse(truth: np.ndarray, answers: np.ndarray, weights: np.ndarray, _: float) -> float:
    return float(np.sqrt(np.average((answers - truth) ** 2, weights=weights)))


def _r2(truth: np.ndarray, answers: np.ndarray, weights: np.ndarray, _: float) -> float:
    varying = np.average((truth - np.average(truth, weights=weights)) ** 2, weights=weights)
    missed = np.average((truth - answers) ** 2, weights=weights)
    return float(1 - missed / varying) if varying > 0 else float("nan")


def _mean(values: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> Weighted:
    def mean(
        labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, threshold: float
    ) -> float:
        return float(np.average(values(labels, scores, threshold), weights=weights))

    return mean


WEIGHTED: dict[str, Weighted] = {
    "roc_auc": _auc,
    "average_precision": _average_precision,
    "log_loss": _mean(lambda labels, scores, _: row_log_loss(labels, scores)),
    "brier": _mean(lambda labels, scores, _: (scores - labels) ** 2),
    "ece": _ece,
    "accuracy": _mean(lambda labels, scores, bar: 1.0 * ((scores > bar) == (labels == 1.0))),
    "f1": _f1,
    "mae": _mean(lambda truth, answers, _: np.abs(answers - truth)),
    "rmse": _rmse,
    "r2": _r2,
    "pinball": _mean(row_pinball),
    "quantile_coverage": _mean(lambda truth, answers, _: 1.0 * (truth <= answers)),
}


def _macro_f1(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, _: float) -> float:
    answers, found = scores.argmax(axis=1), []
    for name in np.union1d(labels, answers):
        told, happened = answers == name, labels == name
        total = float(weights[told].sum() + weights[happened].sum())
        if total > 0:
            found.append(2 * float(weights[told & happened].sum()) / total)
    return float(np.mean(found)) if found else float("nan")


def _macro_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, bar: float) -> float:
    classes = range(scores.shape[1])
    return float(np.mean([_auc((labels == k) * 1.0, scores[:, k], weights, bar) for k in classes]))


OF_CLASSES: dict[str, Weighted] = {
    "accuracy": _mean(lambda labels, scores, _: metrics_multiclass.row_right(labels, scores)),
    "log_loss": _mean(lambda labels, scores, _: metrics_multiclass.row_log_loss(labels, scores)),
    "multiclass_brier": _mean(
        lambda labels, scores, _: metrics_multiclass.row_brier(labels, scores)
    ),
    "macro_f1": _macro_f1,
    "macro_roc_auc": _macro_auc,
    "confidence_ece": lambda labels, scores, weights, bar: _ece(
        metrics_multiclass.row_right(labels, scores), scores.max(axis=1), weights, bar
    ),
}
