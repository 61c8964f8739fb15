"""Every metric by the name that a contract gives it, whatever the task.

A metric takes labels, scores and a bar: the threshold of yes, or the quantile that a number is.
Where scores are of several classes, (n, k), two metrics that have that name are others.
"""

from collections.abc import Callable

import numpy as np

from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.evaluation import metrics, metrics_multiclass, metrics_numeric

Metric = Callable[[np.ndarray, np.ndarray, float], float]

METRICS: dict[str, Metric] = {
    "roc_auc": lambda labels, scores, _: metrics.roc_auc(labels, scores),
    "average_precision": lambda labels, scores, _: metrics.average_precision(labels, scores),
    "log_loss": lambda labels, scores, _: metrics.log_loss(labels, scores),
    "brier": lambda labels, scores, _: metrics.brier(labels, scores),
    "ece": lambda labels, scores, _: metrics.ece(labels, scores),
    "accuracy": metrics.accuracy,
    "f1": metrics.f1,
    "mae": lambda truth, answers, _: metrics_numeric.mae(truth, answers),
    "rmse": lambda truth, answers, _: metrics_numeric.rmse(truth, answers),
    "r2": lambda truth, answers, _: metrics_numeric.r2(truth, answers),
    "pinball": metrics_numeric.pinball,
    "quantile_coverage": lambda truth, answers, _: metrics_numeric.quantile_coverage(
        truth, np.full(len(truth), -np.inf), answers
    ),
}

OF_CLASSES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": metrics_multiclass.accuracy,
    "log_loss": metrics_multiclass.log_loss,
    "macro_f1": metrics_multiclass.f1,
    "macro_roc_auc": metrics_multiclass.roc_auc_ovr,
    "multiclass_brier": metrics_multiclass.brier,
    "confidence_ece": metrics_multiclass.confidence_ece,
}


def measure(metric: str, labels: np.ndarray, scores: np.ndarray, bar: float) -> float:
    """The metric of that name; NaN also where a score is none that the metric takes."""
    if not takes(metric, scores):
        return float("nan")
    if scores.ndim == 2:
        return OF_CLASSES[metric](labels, scores)
    return METRICS[metric](labels, scores, bar)


def takes(metric: str, scores: np.ndarray) -> bool:
    """Every score is one that the metric is defined for: a probability, or a finite number."""
    if metric in TASKS["regression"].metrics:
        return bool(np.isfinite(scores).all())
    return metrics.usable(scores)
