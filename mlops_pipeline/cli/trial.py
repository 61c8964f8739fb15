"""A contract's callables, tried: they import, and take what the pipeline will hand them."""

import inspect
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.findings import Location
from mlops_pipeline.contract.load import load_callable, place_in
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ContractError, MlopsError
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.inheritance import policy_problems
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.features.row import RowFeatures

NOON = datetime(2024, 5, 6, 12, 30)  # noqa: DTZ001 - event times are local and carry no zone


def problems(path: Path, contract: ModelContract) -> list[str]:
    """What is wrong with the callables and the folder's name, each as `file:line: path: what`."""
    return [f"{place_in(path, at)}: {what}" for at, what in _problems(path, contract)]


def _problems(path: Path, contract: ModelContract) -> Iterator[tuple[Location, str]]:
    folder = path.resolve().parent.name
    if folder != contract.name:
        yield ("name",), f"{contract.name!r} lies in the folder {folder!r}; give both one name"
    yield from policy_problems(contract)
    reference = contract.source.function
    source = _problem_of_signature(reference, "start", "end") if reference else None
    if source:
        yield ("source", "function"), source
    function = _problem_of_signature(contract.features.function, "row")
    function = function or _problem_of_features(contract)
    if function:
        yield ("features", "function"), function


def _problem_of_signature(reference: str, *arguments: str) -> str | None:
    try:
        signature = inspect.signature(load_callable(reference))
    except ContractError as error:
        return str(error)
    except ValueError:  # a builtin says nothing about itself
        return None
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return f"{reference}{signature} cannot be called with ({', '.join(arguments)}): {error}"
    return None


def _problem_of_features(contract: ModelContract) -> str | None:
    """A row of likely values becomes features, the same alone and in a column; else why not."""
    reference = contract.features.function
    row = {column.name: _likely(column) for column in contract.request_columns}
    nothing = FeatureSnapshot(contract.name, definition_digest(contract), date.min, {}, {})
    try:
        single = dict(
            zip(
                (feature.name for feature in contract.features.columns),
                RowFeatures(contract).vector(row, nothing),
                strict=True,
            )
        )
        together = values_of(contract, pd.DataFrame([row, row]))
    except MlopsError as error:
        return str(error)
    except Exception as error:  # whatever the function does with a row
        return f"{reference} on {row}: {type(error).__name__}: {error}"
    for feature in contract.derived:
        one, many = single[feature.name], together[feature.name]
        if feature.kind == "number" and not np.array_equal([one, one], many, equal_nan=True):
            return f"{reference}: {feature.name} is {one} for one row, but {many[0]} in a column"
    return None


def _likely(column: Column) -> object:
    match column.type:
        case ColumnType.TIME:
            return NOON
        case ColumnType.CATEGORY:
            return column.categories[0]
        case ColumnType.TEXT:
            return "text"
    low, high = column.minimum, column.maximum
    known = [bound for bound in (low, high) if bound is not None] or [1.0]
    middle = sum(known) / len(known)
    return float(round(middle)) if column.type is ColumnType.INTEGER else middle
