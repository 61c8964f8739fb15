"""A frame's rows as arrays, run through the user's function: the training side of `row.py`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.load import load_callable
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.declared import function_inputs


def values_of(contract: ModelContract, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The request's columns and the derived features of every row, each of shape (rows,).

    Numbers are float64, texts objects (str or None), times float64 seconds since 1970-01-01. The
    function sees only the columns that its features declare.

    Raises:
        FeatureError: the function is not elementwise, reads what it may not, or gives what nobody
            declared.
    """
    values = {c.name: _array(c, frame) for c in contract.request_columns}
    given = {name: values[name] for name in function_inputs(contract)}
    for name, derived in derive(contract, given).items():
        values[name] = _elementwise(contract, name, derived, len(frame))
    for feature in contract.derived:
        if feature.name not in values:
            raise FeatureError(
                f"feature {feature.name}: neither a column nor given by the function"
            )
    return values


def derive(contract: ModelContract, given: Mapping[str, np.ndarray]) -> Mapping[str, object]:
    """What the user's function gives of whole columns.

    Raises:
        FeatureError: it reads or gives what nobody declared, or cannot take whole columns.
    """
    reference = contract.features.function
    try:
        with np.errstate(divide="raise", invalid="raise"):  # where a single number would raise too
            derived: Mapping[str, object] = load_callable(reference)(given)
    except KeyError as error:
        raise FeatureError(f"{reference} read {error}, which no feature declares") from error
    except (ArithmeticError, TypeError, ValueError) as error:
        raise FeatureError(f"{reference} cannot be applied to whole columns: {error}") from error
    extra = sorted(derived.keys() - {feature.name for feature in contract.derived})
    if extra:
        raise FeatureError(f"{reference} gave {', '.join(extra)}, which no feature declares")
    return derived


def _elementwise(contract: ModelContract, name: str, derived: object, rows: int) -> np.ndarray:
    array = np.asarray(derived)
    if array.shape != (rows,):
        raise FeatureError(
            f"{contract.features.function}: {name} has shape {array.shape} for {rows} rows; "
            "give one value for each row"
        )
    return array if array.dtype == object else array.astype(np.float64)


def _array(column: Column, frame: pd.DataFrame) -> np.ndarray:
    values = frame[column.name]
    if column.type is ColumnType.TIME:
        # Microseconds fit a float64 exactly, so this division rounds as timedelta's does.
        micros = values.to_numpy(dtype="datetime64[us]")
        seconds: np.ndarray = micros.astype(np.int64) / 1e6
        return np.where(np.isnat(micros), np.nan, seconds)
    if column.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        return values.to_numpy(dtype=object)
    return values.to_numpy(dtype=np.float64)
