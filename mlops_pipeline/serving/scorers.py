"""Scorers: from a feature vector to a score, with nothing of training in the process."""

import logging
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from mlops_pipeline.errors import RegistryError, ServingError
from mlops_pipeline.registry.bundle import Bundle
from mlops_pipeline.registry.compiled_trees import (
    ABOUT,
    LIBRARY,
    CompiledAbout,
    CompiledTrees,
    this_machine,
)

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)


class Scorer(Protocol):
    """One loaded model. Call it from one thread only: native handles hold scratch memory."""

    def score(self, vector: "array[float]") -> float:
        """The score of one row; missing features are NaN."""
        ...

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        """The score of each row, equal to `score` of each."""
        ...

    def score_matrix(self, values: "np.ndarray") -> "np.ndarray":
        """The score of each row of a float64 matrix in C order, equal to `score` of each."""
        ...


@runtime_checkable
class ClassScorer(Protocol):
    """One loaded model that tells classes apart; its `score_matrix` is (n, k)."""

    def scores(self, vector: "array[float]") -> Sequence[float]:
        """The probabilities of the classes for one row; missing features are NaN."""
        ...


def load_scorer(bundle: Bundle, threads: int = 1) -> Scorer:
    """The bundle's model, loaded from verified bytes; matrices are scored by so many threads.

    Compiled trees are taken where the version has them for this machine; the log says which.

    Raises:
        ServingError: no scorer reads that trainer's files, or the files do not load.
        RegistryError: the bundle lacks the file, or it was altered.
    """
    trainer, width = bundle.manifest.trainer, len(bundle.manifest.feature_names)
    where = str(bundle.folder)
    if trainer == "lightgbm":
        compiled = _compiled(bundle, width, threads)
        if compiled is not None:
            return compiled
        from mlops_pipeline.serving.lightgbm_native import LightGBMScorer

        model = bundle.read("model/model.txt")
        outputs = len(bundle.contract.classes) or 1
        return LightGBMScorer(model, width, where=where, threads=threads, outputs=outputs)
    if trainer == "torch":
        from mlops_pipeline.serving.onnx import OnnxScorer

        model = bundle.read("model/model.onnx")
        return OnnxScorer(model, width, where=where, threads=threads)
    raise ServingError(f"{where}: no scorer for trainer {trainer!r}; known: lightgbm, torch")


def _compiled(bundle: Bundle, width: int, threads: int) -> Scorer | None:
    """The version's compiled trees; None, and the reason in the log, where they do not run here."""
    if LIBRARY not in bundle.manifest.files:
        return None
    here = this_machine()
    try:
        made_for = msgspec.json.decode(bundle.read(ABOUT), type=CompiledAbout)
        if made_for != here:
            raise RegistryError(
                f"made for {made_for.system} {made_for.machine}, this is "
                f"{here.system} {here.machine}"
            )
        scorer = CompiledTrees(bundle.read(LIBRARY), width, threads=threads)
    except (RegistryError, msgspec.DecodeError) as error:
        logger.warning("scorer=native version=%s compiled=refused: %s", bundle.folder, error)
        return None
    logger.info("scorer=compiled version=%s", bundle.folder)
    return scorer
