"""What live answers are held against: the rows that the version in service learnt from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.components.house import House
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.monitoring.frames import feature_frame
from mlops_pipeline.registry.standing import stored_lineage, stored_model

REFERENCE_ROWS = 20_000  # drift statistics gain nothing beyond, and Evidently loses seconds


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Features of a version's training rows, and its scores of them."""

    features: pd.DataFrame
    scores: np.ndarray


def training_reference(contract: ModelContract, house: House, version: VersionRow) -> Reference:
    """A seeded sample of the rows that the version was fitted on, read from its lineage."""
    lineage = stored_lineage(house.objects, version.bundle)
    frame = house.snapshots.read(lineage.snapshot)
    matrix = compute_features(contract, frame, count_history(contract, frame))
    trained = np.flatnonzero(lineage.train.mask(frame[contract.event_time]))
    size = min(REFERENCE_ROWS, len(trained))
    picked = np.sort(np.random.default_rng(contract.seed).choice(trained, size, replace=False))
    values = matrix.values[picked]
    return Reference(
        feature_frame(contract, FeatureMatrix(matrix.names, values, matrix.cardinalities)),
        stored_model(house.objects, version.bundle).predict(values),
    )
