"""Rows that a model learns from or is judged on: inputs, labels, and which rows belong together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_pipeline.contract.tasks import TASKS, YES_OR_NO, Question
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.features.matrix import FeatureMatrix


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """`labels` mean what `question` says: 0.0 or 1.0, finite numbers, or places of classes.

    `groups` are integers, equal for rows that share noise (a day).
    """

    matrix: FeatureMatrix
    labels: np.ndarray
    groups: np.ndarray
    question: Question = YES_OR_NO

    def __post_init__(self) -> None:
        rows = len(self.matrix.values)
        for name, column in (("labels", self.labels), ("groups", self.groups)):
            if column.shape != (rows,):
                raise TrainingError(f"{name} has shape {column.shape} for {rows} rows of features")
        good, wanted = _GOOD[self.question.task]
        odd = ~good(self.labels, self.question)
        if odd.any():
            raise TrainingError(
                f"row {int(np.argmax(odd))} has the label {self.labels[odd][0]!r}, not {wanted}; "
                "leave rows without a label out"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> int | None:
        """How many rows are labelled yes; None where labels say something else."""
        return int(self.labels.sum()) if TASKS[self.question.task].counts_yes else None

    def relabelled(self, labels: np.ndarray) -> "LabelledRows":
        """The same rows with other labels."""
        return LabelledRows(self.matrix, labels, self.groups, self.question)

    def only(self, rows: np.ndarray) -> "LabelledRows":
        """The rows that a boolean mask or an index array picks."""
        matrix = FeatureMatrix(
            names=self.matrix.names,
            values=self.matrix.values[rows],
            cardinalities=self.matrix.cardinalities,
        )
        return LabelledRows(matrix, self.labels[rows], self.groups[rows], self.question)


_GOOD: dict[str, tuple[Callable[[np.ndarray, Question], np.ndarray], str]] = {
    "binary": (lambda labels, _: np.isin(labels, (0.0, 1.0)), "0 or 1"),
    "regression": (lambda labels, _: np.isfinite(labels), "a finite number"),
    "multiclass": (
        lambda labels, asked: np.isin(labels, np.arange(len(asked.classes))),
        "the place of a class",
    ),
}
