"""Rows with a rule that a model can find: yes when `size` is large, or `kind` is the last one."""

import numpy as np

from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.rows import LabelledRows

NAMES = ("kind", "size", "noise")
CARDINALITIES = (3, 0, 0)


def learnable(count: int = 600, *, seed: int = 0) -> LabelledRows:
    """Rows of that rule, with every tenth value missing."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(count, 3))
    values[:, 0] = chance.integers(0, 3, count)
    labels = ((values[:, 1] > 0.8) | (values[:, 0] == 2)).astype(float)
    values[chance.random(values.shape) < 0.1] = np.nan
    return rows(values, labels)


def rows(values: np.ndarray, labels: np.ndarray) -> LabelledRows:
    """These values with these labels, each row a group of its own."""
    matrix = FeatureMatrix(NAMES, np.ascontiguousarray(values, dtype=np.float64), CARDINALITIES)
    return LabelledRows(matrix, labels, np.arange(len(labels)))
