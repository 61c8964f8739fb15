"""Many rows as a server would see them: history is looked up in one snapshot, not counted.

`row.RowFeatures` for whole columns, bit for bit.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import HistoryFeature
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline.features.compute import assemble
from mlops_pipeline.features.counts import key_codes
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.online import FeatureSnapshot


def features_as_served(
    contract: ModelContract, frame: pd.DataFrame, snapshot: FeatureSnapshot
) -> FeatureMatrix:
    """The features of every row of the frame, in its order, by the look-ups of `snapshot`.

    Raises:
        FeatureError: as for `compute.compute_features`.
    """
    values = values_of(contract, frame)
    rates: dict[str, np.ndarray] = {}
    coded: dict[tuple[str, ...], tuple[list[str], np.ndarray]] = {}
    for feature in contract.history:
        if feature.keys not in coded:
            coded[feature.keys] = key_codes(values, feature.keys, len(frame))
        rates[feature.name] = _looked_up(feature, *coded[feature.keys], snapshot)
    return assemble(contract, values, rates, len(frame))


def _looked_up(
    feature: HistoryFeature, texts: list[str], codes: np.ndarray, snapshot: FeatureSnapshot
) -> np.ndarray:
    default = snapshot.defaults.get(feature.name, float("nan"))
    table: Mapping[str, float] = snapshot.tables.get(feature.name, {})
    rates = np.array([*(table.get(text, default) for text in texts), default], dtype=np.float64)
    found: np.ndarray = rates[codes]  # a missing key is -1: the last one, which is the default
    return found
