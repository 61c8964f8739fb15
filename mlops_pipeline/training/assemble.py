"""From a snapshot's rows and features to what a model learns from and is judged on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days, label
from mlops_pipeline.data.splits import Split
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.influence import cap_influenced
from mlops_pipeline.training.rows import LabelledRows


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """Three sets of rows in the order of time; rows without a label are in none of them."""

    train: LabelledRows
    validation: LabelledRows
    test: LabelledRows
    test_index: np.ndarray  # positions of the test's rows in the frame


def assemble(
    contract: ModelContract, frame: pd.DataFrame, matrix: FeatureMatrix, split: Split
) -> Assembled:
    """The labelled rows of each window; `frame` and `matrix` have the same rows in the same order.

    Of rows whose label the model influenced, training holds no more than the contract's cap.

    Raises:
        TrainingError: a window holds no labelled row, or only one kind of label.
    """
    if len(frame) != len(matrix):
        raise TrainingError(f"{len(frame)} rows with {len(matrix)} rows of features")
    labels = label(contract, frame)
    groups = days(contract, frame) if contract.splits.group == "day" else np.arange(len(frame))
    times = frame[contract.event_time]

    def of(window: Window, name: str) -> tuple[LabelledRows, np.ndarray]:
        index = np.flatnonzero(window.mask(times) & ~np.isnan(labels))
        if window is split.train:
            index = cap_influenced(contract, frame, index)
        if len(np.unique(labels[index])) < 2:
            raise TrainingError(
                f"{name} ({window}) has {len(index)} labelled rows of one kind: "
                "a model can be neither fitted nor judged on them; ingest its months"
            )
        rows = FeatureMatrix(matrix.names, matrix.values[index], matrix.cardinalities)
        return LabelledRows(rows, labels[index], groups[index], contract.question), index

    train, _ = of(split.train, "training")
    validation, _ = of(split.validation, "validation")
    test, test_index = of(split.test, "test")
    return Assembled(train, validation, test, test_index)
