"""Scorers: from a feature vector to a probability, with nothing of training in the process."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mlops_pipeline.errors import ServingError
from mlops_pipeline.registry.bundle import Bundle

if TYPE_CHECKING:
    import numpy as np


class Scorer(Protocol):
    """One loaded model. Call it from one thread only: native handles hold scratch memory."""

    def score(self, vector: "array[float]") -> float:
        """The probability of one row; missing features are NaN."""
        ...

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        """The probability of each row, equal to `score` of each."""
        ...

    def score_matrix(self, values: "np.ndarray") -> "np.ndarray":
        """The probability of each row of a float64 matrix in C order, equal to `score` of each."""
        ...


def load_scorer(bundle: Bundle, threads: int = 1) -> Scorer:
    """The bundle's model, loaded from verified bytes; matrices are scored by so many threads.

    Raises:
        ServingError: no scorer reads that trainer's files, or the files do not load.
        RegistryError: the bundle lacks the file, or it was altered.
    """
    trainer, width = bundle.manifest.trainer, len(bundle.manifest.feature_names)
    where = str(bundle.folder)
    if trainer == "lightgbm":
        from mlops_pipeline.serving.lightgbm_native import LightGBMScorer

        model = bundle.read("model/model.txt")
        return LightGBMScorer(model, width, where=where, threads=threads)
    if trainer == "torch":
        from mlops_pipeline.serving.onnx import OnnxScorer

        model = bundle.read("model/model.onnx")
        return OnnxScorer(model, width, where=where, threads=threads)
    raise ServingError(f"{where}: no scorer for trainer {trainer!r}; known: lightgbm, torch")
