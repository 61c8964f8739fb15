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
    """One column for each field of an answer; `threshold` is the version's.

    A column is (n,), or (n, k) where the field holds a number for each class.
    """
    return _COLUMNS[contract.task](contract, scores, threshold)


def score_name(contract: ModelContract) -> str:
    """The field that holds the score."""
    return next(iter(contract.kind.answer))


def score_of(contract: ModelContract, scores: "np.ndarray") -> "np.ndarray":
    """The score of each answer, (n,): of classes, the probability of the likeliest."""
    told: np.ndarray = scores.max(axis=1) if contract.classes else scores
    return told


def score_limits(contract: ModelContract) -> tuple[float, float]:
    """Least and largest score that is an answer at all: a probability, or a finite number."""
    return (0.0, 1.0) if contract.kind.calibrated else (-LARGEST, LARGEST)


def _of_classes(contract: ModelContract, scores: "np.ndarray", _: float) -> "dict[str, np.ndarray]":
    import numpy as np  # a server of single rows has no need of it

    names = np.array(contract.classes, dtype=object)
    told = {"probability": score_of(contract, scores), "answer": names[scores.argmax(axis=1)]}
    return {**told, "classes": scores}


_COLUMNS: "dict[str, Callable[[ModelContract, np.ndarray, float], dict[str, np.ndarray]]]" = {
    "binary": lambda _, scores, cut: {"probability": scores, "answer": scores > cut},
    "regression": lambda _, scores, cut: {"prediction": scores},
    "multiclass": _of_classes,
}
