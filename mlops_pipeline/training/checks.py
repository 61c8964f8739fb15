"""What every trainer asks of its rows and every model of its questions."""

import numpy as np

from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.rows import LabelledRows


def require_trainable(train: LabelledRows, validation: LabelledRows) -> None:
    """Training labels differ, and both parts have the same features.

    Raises:
        TrainingError: they do not.
    """
    if train.positives in (0, len(train)):
        raise TrainingError(
            f"{len(train)} training rows with {train.positives} positives: a model needs both "
            "labels; widen the training window"
        )
    if not np.ptp(train.labels) > 0:
        raise TrainingError(
            f"{len(train)} training rows all have the label {train.labels[0]:g}: there is nothing "
            "to learn; widen the training window"
        )
    for code, name in enumerate(train.question.classes):
        if not (train.labels == code).any():
            raise TrainingError(
                f"{len(train)} training rows, and none is {name}: a model cannot learn a class "
                "that it never saw; widen the training window, or take the class out"
            )
    if train.matrix.names != validation.matrix.names:
        raise TrainingError(
            f"training rows have the features {train.matrix.names}, "
            f"validation rows {validation.matrix.names}"
        )


def require_validation(validation: LabelledRows, parameter: str) -> None:
    """There are validation rows for the parameter that asks for them.

    Raises:
        TrainingError: there are none.
    """
    if not len(validation):
        raise TrainingError(
            f"{parameter} stops on validation rows and there are none: "
            "widen splits.validation_days, or leave the parameter out"
        )


def require_calibratable(validation: LabelledRows) -> None:
    """Scores of these rows are probabilities, and there are rows to calibrate them on.

    Raises:
        TrainingError: they are not, or there are none.
    """
    if not TASKS[validation.question.task].calibrated:
        raise TrainingError(
            f"calibrate: a {validation.question.task} answer is no probability; leave it out"
        )
    require_validation(validation, "calibrate")


def as_values(values: np.ndarray, width: int) -> np.ndarray:
    """`values` as a C-ordered float64 matrix of `width` columns.

    Raises:
        TrainingError: it has another shape.
    """
    if values.ndim != 2 or values.shape[1] != width:
        raise TrainingError(f"values have shape {values.shape}; the model takes (n, {width})")
    return np.ascontiguousarray(values, dtype=np.float64)


def shares(gains: np.ndarray) -> np.ndarray:
    """Gains as shares that sum to 1; negative gains count as none."""
    positive = np.clip(np.asarray(gains, dtype=np.float64), 0.0, None)
    total = positive.sum()
    return positive / total if total > 0 else positive
