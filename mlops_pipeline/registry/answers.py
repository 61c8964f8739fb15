"""An answer as columns: what a version's scores say, in the fields of its contract's task.

Whoever answers many rows at once (batch scoring, MLflow) says it in these columns, so that all say
the same; a server of single rows has the same fields.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlops_pipeline.contract.model import ModelContract

if TYPE_CHECKING:
    import numpy as np

LARGEST = sys.float_info.max


def columns_of(
    contract: ModelContract, scores: "np.ndarray", threshold: float
) -> "dict[str, np.ndarray]":
    """One column for each field of an answer; `threshold` is the version's."""
    return _COLUMNS[contract.task](scores, threshold)


def score_name(contract: ModelContract) -> str:
    """The field that holds the score."""
    return next(iter(contract.kind.answer))


def score_limits(contract: ModelContract) -> tuple[float, float]:
    """Least and largest score that is an answer at all: a probability, or a finite number."""
    return (0.0, 1.0) if contract.kind.calibrated else (-LARGEST, LARGEST)


_COLUMNS: "dict[str, Callable[[np.ndarray, float], dict[str, np.ndarray]]]" = {
    "binary": lambda scores, cut: {"probability": scores, "answer": scores > cut},
    "regression": lambda scores, _: {"prediction": scores},
}
