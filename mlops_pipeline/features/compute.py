"""A frame becomes a feature matrix, point in time: a row reads itself and the days before."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import HistoryFeature
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline.features.declared import cardinalities, categories_of, feature_names
from mlops_pipeline.features.history import HistoryCounts, history_columns
from mlops_pipeline.features.matrix import FeatureMatrix


def compute_features(
    contract: ModelContract, frame: pd.DataFrame, history: HistoryCounts
) -> FeatureMatrix:
    """The features of every row of the frame, in its order.

    `history` may hold later days: a row of day d reads those before d only. It must hold the days
    before the frame's, or rates are missing where a server would have them.

    Raises:
        FeatureError: the function broke its declaration, or a category is unknown where the
            contract rejects these.
    """
    values = values_of(contract, frame)
    rates = history_columns(contract, values, days(contract, frame), history)
    return assemble(contract, values, rates, len(frame))


def assemble(
    contract: ModelContract,
    values: Mapping[str, np.ndarray],
    rates: Mapping[str, np.ndarray],
    rows: int,
) -> FeatureMatrix:
    """The matrix of rows whose values and history rates are known, in the contract's order.

    Raises:
        FeatureError: a category is unknown where the contract rejects these.
    """
    matrix = np.empty((rows, len(contract.features.columns)), dtype=np.float64)
    for position, feature in enumerate(contract.features.columns):
        if isinstance(feature, HistoryFeature):
            matrix[:, position] = rates[feature.name]
        else:
            matrix[:, position] = _coded(contract, feature.name, values[feature.name])
    matrix[np.isnan(matrix)] = np.nan  # arithmetic has several NaNs; this room has one
    return FeatureMatrix(feature_names(contract), matrix, cardinalities(contract))


def _coded(contract: ModelContract, name: str, values: np.ndarray) -> np.ndarray:
    """Numbers as they are; categories as codes, NaN where missing or unknown."""
    categories = categories_of(contract, name)
    if not categories:
        if values.dtype == object:
            raise FeatureError(f"feature {name} holds texts; a number feature holds numbers")
        return values
    codes = pd.Index(categories).get_indexer(pd.Index(values)).astype(np.float64)
    codes[codes < 0] = np.nan
    if contract.features.unknown_category == "reject":
        unknown = np.isnan(codes) & pd.notna(values)
        if unknown.any():
            raise FeatureError(
                f"feature {name}: {values[unknown][0]!r} is not one of {', '.join(categories)} "
                f"({int(unknown.sum())} such rows)"
            )
    return codes
