"""Tasks: the kinds of question that a contract can ask, and what can be said of their answers.

Here stand the words. What a room does for a task stands in that room, in one table by the task's
name: `contract.task_fit` (words of the target), `data.labels` (labels), `training.objectives`
(losses), `evaluation.judged` (what a report shows), `registry.answers` (columns of an answer),
`serving.one` (bodies).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TaskName = Literal["binary", "regression", "multiclass"]
Metric = Literal[
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "accuracy",
    "f1",
    "mae",
    "rmse",
    "r2",
    "pinball",
    "quantile_coverage",
    "macro_f1",
    "macro_roc_auc",
    "multiclass_brier",
    "confidence_ece",
]
Gap = Literal[
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "calibration",
    "mean_error",
    "mean_absolute_error",
    "accuracy",
]
HIGHER_IS_BETTER: dict[str, bool] = {
    "roc_auc": True,
    "average_precision": True,
    "log_loss": False,
    "brier": False,
    "ece": False,
    "accuracy": True,
    "f1": True,
    "mae": False,
    "rmse": False,
    "r2": True,
    "pinball": False,
    "macro_f1": True,
    "macro_roc_auc": True,
    "multiclass_brier": False,
    "confidence_ece": False,
}  # a coverage is neither: it should be its quantile, so it has bounds and no gain
IN_UNITS = frozenset({"mae", "rmse", "pinball", "mean_error", "mean_absolute_error"})


@dataclass(frozen=True, slots=True)
class Task:
    """What a contract of this kind may promise, and what a server says.

    `answer` are the fields of an answer in order, with their types in MLflow's words; the first is
    the score that is logged, watched and compared. A `map` has a number for each class.
    """

    name: str
    metrics: tuple[str, ...]
    gaps: tuple[str, ...]  # between fairness groups
    answer: Mapping[str, str]
    calibrated: bool  # its scores are probabilities
    counts_yes: bool  # labels are yes or no: positives are counted, and the two errors have costs
    mistakes: bool  # an answer is what happened, or it is wrong


@dataclass(frozen=True, slots=True)
class Question:
    """What labels mean to whoever learns from them."""

    task: str
    quantile: float | None = None  # of a number: the quantile that is wanted instead of the mean
    classes: tuple[str, ...] = ()  # of several: a label is the place of one of them


TASKS: dict[str, Task] = {
    "binary": Task(
        name="binary",
        metrics=("roc_auc", "average_precision", "log_loss", "brier", "ece", "accuracy", "f1"),
        gaps=("selection_rate", "true_positive_rate", "false_positive_rate", "calibration"),
        answer={"probability": "double", "answer": "boolean"},
        calibrated=True,
        counts_yes=True,
        mistakes=True,
    ),
    "regression": Task(
        name="regression",
        metrics=("mae", "rmse", "r2", "pinball", "quantile_coverage"),
        gaps=("mean_error", "mean_absolute_error"),
        answer={"prediction": "double"},
        calibrated=False,
        counts_yes=False,
        mistakes=False,
    ),
    "multiclass": Task(
        name="multiclass",
        metrics=(
            "accuracy",
            "macro_f1",
            "log_loss",
            "multiclass_brier",
            "macro_roc_auc",
            "confidence_ece",
        ),
        gaps=("accuracy", "calibration"),
        answer={"probability": "double", "answer": "string", "classes": "map"},
        calibrated=True,
        counts_yes=False,
        mistakes=True,
    ),
}
YES_OR_NO = Question("binary")
