"""Rows that a model learns from or is judged on: inputs, labels, and which rows belong together."""

from dataclasses import dataclass

import numpy as np

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.features.matrix import FeatureMatrix


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """`labels` are 0.0 or 1.0; `groups` are integers, equal for rows that share noise (a day)."""

    matrix: FeatureMatrix
    labels: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        rows = len(self.matrix.values)
        for name, column in (("labels", self.labels), ("groups", self.groups)):
            if column.shape != (rows,):
                raise TrainingError(f"{name} has shape {column.shape} for {rows} rows of features")
        odd = ~np.isin(self.labels, (0.0, 1.0))
        if odd.any():
            raise TrainingError(
                f"row {int(np.argmax(odd))} has the label {self.labels[odd][0]!r}, not 0 or 1; "
                "leave rows without a label out"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> int:
        """How many rows are labelled yes."""
        return int(self.labels.sum())

    def only(self, rows: np.ndarray) -> "LabelledRows":
        """The rows that a boolean mask or an index array picks."""
        matrix = FeatureMatrix(
            names=self.matrix.names,
            values=self.matrix.values[rows],
            cardinalities=self.matrix.cardinalities,
        )
        return LabelledRows(matrix, self.labels[rows], self.groups[rows])
