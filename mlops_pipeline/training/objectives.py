"""What a fit makes small, by what is asked: one record that every trainer reads.

| question | loss | what scores are |
|---|---|---|
| yes or no | log-loss | probabilities, (n,) |
| a number | squared or absolute error | numbers, (n,) |
| a quantile of a number | pinball (Koenker & Bassett 1978, Econometrica 46(1)) | numbers, (n,) |
| one of k classes | log-loss | probabilities, (n, k) |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mlops_pipeline.contract.tasks import Question
from mlops_pipeline.errors import TrainingError

Link = Literal["sigmoid", "identity", "softmax"]
SMALLEST = 1e-15


@dataclass(frozen=True, slots=True)
class Objective:
    """`link` makes scores of what a model adds up; `level` is the quantile that they aim at."""

    loss_name: str
    link: Link
    lightgbm: Mapping[str, Any]  # in LightGBM's words
    level: float | None  # None: the mean
    outputs: int = 1  # numbers that a model adds up for one row

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """The mean loss of scores."""
        return float(_LOSSES[self.loss_name](labels, scores, self.level).mean())


def objective_of(question: Question, asked: str | None = None) -> Objective:
    """What a fit for this question makes small; `asked` is a candidate's own wish, `l1` or `l2`.

    Raises:
        TrainingError: the question leaves no such choice.
    """
    if asked is not None and (question.task != "regression" or question.quantile is not None):
        wanted = "a quantile" if question.quantile else f"a {question.task} answer"
        raise TrainingError(f"parameter loss={asked!r}: {wanted} has one loss; leave it out")
    if question.task == "binary":
        return Objective(
            "log_loss", "sigmoid", {"objective": "binary", "metric": "binary_logloss"}, None
        )
    if question.task == "multiclass":
        count = len(question.classes)
        words = {"objective": "multiclass", "metric": "multi_logloss", "num_class": count}
        return Objective("class_log_loss", "softmax", words, None, count)
    if question.quantile is not None:
        level = question.quantile
        words = {"objective": "quantile", "metric": "quantile", "alpha": level}
        return Objective("pinball", "identity", words, level)
    if asked == "l1":
        return Objective("l1", "identity", {"objective": "regression_l1", "metric": "l1"}, 0.5)
    return Objective("l2", "identity", {"objective": "regression", "metric": "l2"}, None)


def _log_loss(labels: np.ndarray, scores: np.ndarray, _: float | None) -> np.ndarray:
    given = np.where(labels == 1.0, scores, 1.0 - scores)
    losses: np.ndarray = -np.log(np.clip(given, SMALLEST, 1.0))
    return losses


def _class_log_loss(labels: np.ndarray, scores: np.ndarray, _: float | None) -> np.ndarray:
    given = scores[np.arange(len(labels)), labels.astype(np.int64)]
    losses: np.ndarray = -np.log(np.clip(given, SMALLEST, 1.0))
    return losses


def _pinball(labels: np.ndarray, scores: np.ndarray, level: float | None) -> np.ndarray:
    above, quantile = labels - scores, 0.5 if level is None else level
    losses: np.ndarray = np.maximum(quantile * above, (quantile - 1) * above)
    return losses


_LOSSES: dict[str, Callable[[np.ndarray, np.ndarray, float | None], np.ndarray]] = {
    "log_loss": _log_loss,
    "class_log_loss": _class_log_loss,
    "pinball": _pinball,
    "l1": lambda labels, scores, _: np.abs(labels - scores),
    "l2": lambda labels, scores, _: (labels - scores) ** 2,
}
