"""The loader that MLflow calls for a version: `mlflow models serve`, `mlflow.pyfunc.load_model`.

It imports no mlflow. The bundle is verified by signature and bytes before it is loaded, with the
keys that this installation trusts, and rows get their look-ups from its published snapshots.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.features.online import FeatureSnapshot, newest
from mlops_pipeline.features.row import RowFeatures
from mlops_pipeline.registry.answers import columns_of
from mlops_pipeline.registry.attestation import open_signed
from mlops_pipeline.registry.bundle import Bundle
from mlops_pipeline.registry.keys import TRUSTED
from mlops_pipeline.settings import Settings, read_settings
from mlops_pipeline.training.table import load


class ServedVersion:
    """One version behind MLflow's interface."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle = bundle
        self._features = RowFeatures(bundle.contract)
        if self._features.definition != bundle.manifest.definition_digest:
            raise RegistryError(
                f"{bundle.folder}: trained with feature definition "
                f"{bundle.manifest.definition_digest[:12]}…, this code computes "
                f"{self._features.definition[:12]}…: install the code of the version"
            )
        self._published = settings.feature_snapshots / bundle.contract.name
        self._model = load(bundle.manifest.trainer, bundle.model_files())

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> Any:
        """A frame of the answer's fields, one row for each row of the request's columns."""
        del params  # MLflow hands them on; the contract knows none
        snapshot = self._snapshot()
        named = [str(name) for name in model_input.columns]
        filled = model_input.astype(object).where(model_input.notna(), None)
        rows = (dict(zip(named, row, strict=True)) for row in filled.itertuples(index=False))
        vectors = [self._features.vector(row, snapshot) for row in rows]
        width = len(self._bundle.manifest.feature_names)
        values = np.array(vectors, dtype=np.float64).reshape(-1, width)
        scores = self._model.predict(values)
        bundle = self._bundle
        told = columns_of(bundle.contract, scores, bundle.manifest.threshold)
        classes = bundle.contract.classes
        return pd.DataFrame(
            {
                name: [dict(zip(classes, row, strict=True)) for row in column.tolist()]
                if column.ndim == 2
                else column
                for name, column in told.items()
            }
        )

    def _snapshot(self) -> FeatureSnapshot:
        found = newest(self._published, self._bundle.manifest.definition_digest)
        if found is None:
            raise RegistryError(
                f"{self._published} holds no feature snapshot of this version's definition; "
                "publish one, or point MLOPS_HOME at the installation that did"
            )
        return found


def _load_pyfunc(path: str) -> ServedVersion:
    """The version whose bundle lies at `path`; the name is MLflow's.

    Raises:
        Unsigned, UntrustedKey, Tampered: it is not what was registered by somebody trusted.
    """
    settings = read_settings()
    return ServedVersion(open_signed(Path(path), settings.keys / TRUSTED), settings)
