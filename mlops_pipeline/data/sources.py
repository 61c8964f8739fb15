"""Sources: the rows of a window, in the contract's columns, types and order, or a named reason why
not. Whether the values are good is for the checks to say; here they only have to be readable."""

import logging
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.load import load_callable
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.evolution import evolution
from mlops_pipeline.data.files import read_file_source
from mlops_pipeline.data.sql import read_sql_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError

log = logging.getLogger(__name__)


def read_source(contract: ModelContract, window: Window) -> pd.DataFrame:
    """Every row of the source with its event time in the window, as `conform` leaves it.

    Raises:
        SourceError: the source cannot be read, gave no row, rows of another time, or columns that
            cannot be read as the contract says; the message names column and value.
    """
    return conform(contract, read_raw(contract, window), window)


def read_raw(contract: ModelContract, window: Window) -> pd.DataFrame:
    """At least one row, in whatever columns and types the source has."""
    match contract.source.kind:
        case "python":
            frame = _called(contract, window)
        case "sql":
            frame = read_sql_source(contract, window)
        case _:
            frame = read_file_source(contract, window)
    if frame.empty:
        raise SourceError(
            f"{contract.source.reference} gave no row for {window}; is the window right?"
        )
    log.info("source=%s window=%s rows=%d", contract.source.name, window, len(frame))
    return frame


def _called(contract: ModelContract, window: Window) -> pd.DataFrame:
    reference = str(contract.source.function)
    frame = load_callable(reference)(window.start, window.end)
    if not isinstance(frame, pd.DataFrame):
        raise SourceError(f"{reference} gave {type(frame).__name__} for {window}, not a DataFrame")
    return frame


def conform(
    contract: ModelContract, frame: pd.DataFrame, window: Window | None = None
) -> pd.DataFrame:
    """A frame of the contract's columns in their order and types, sorted by event time and entity.

    Numbers are float64, integers int64 (float64 where nullable or, against the contract, empty),
    categories and texts Python strings or None, times datetime64[ns]. Further columns are left out.

    Raises:
        SourceError: a column is missing or holds a value of another type; with `window`, also that
            a row lies outside it.
    """
    changes = evolution(contract, frame)
    if changes.removed:
        raise SourceError(
            f"{contract.source.name}: no column {', '.join(changes.removed)}; the source has "
            f"{', '.join(map(str, frame.columns))}"
        )
    if changes.added:
        log.warning("source=%s ignored_columns=%s", contract.source.name, ",".join(changes.added))
    typed = pd.DataFrame({c.name: _typed(c, frame[c.name]) for c in contract.columns})
    order = list(dict.fromkeys((contract.event_time, *contract.entity)))
    rows = typed.sort_values(order, kind="stable", ignore_index=True)
    if window is not None:
        require_inside(contract, rows, window)
    return rows


def require_inside(contract: ModelContract, frame: pd.DataFrame, window: Window) -> None:
    """Every row's event time lies in the window.

    Raises:
        SourceError: how many rows do not, and the first of them.
    """
    times = frame[contract.event_time]
    outside = ~window.mask(times)
    if outside.any():
        raise SourceError(
            f"{contract.source.name}: {int(outside.sum())} of {len(frame)} rows have an event time "
            f"outside {window}, the first {times[outside].iloc[0]}"
        )


def _typed(column: Column, values: "pd.Series[Any]") -> np.ndarray:
    match column.type:
        case ColumnType.TIME:
            return _times(column, values)
        case ColumnType.CATEGORY | ColumnType.TEXT:
            return _texts(column, values)
        case _:
            numbers = _numbers(column, values)
            return _whole(column, numbers) if column.type is ColumnType.INTEGER else numbers


def _times(column: Column, values: "pd.Series[Any]") -> np.ndarray:
    if values.dtype.kind != "M":
        raise _unreadable(column, values, "datetime64 without a time zone")
    zone = getattr(values.dtype, "tz", None)
    if zone is not None:
        raise SourceError(
            f"column {column.name}: times carry the zone {zone}; give local time without one"
        )
    return values.to_numpy(dtype="datetime64[ns]")


def _texts(column: Column, values: "pd.Series[Any]") -> np.ndarray:
    plain = values.astype(object)
    if infer_dtype(plain, skipna=True) not in ("string", "empty"):
        raise _unreadable(column, plain, "text", str)
    texts: np.ndarray = plain.where(plain.notna(), None).to_numpy(dtype=object)
    return texts


def _numbers(column: Column, values: "pd.Series[Any]") -> np.ndarray:
    kind = infer_dtype(values, skipna=True) if values.dtype == object else ""
    readable = ("floating", "integer", "mixed-integer-float", "decimal", "empty")
    if is_bool_dtype(values) or not (is_numeric_dtype(values) or kind in readable):
        raise _unreadable(column, values, "a number", int, float)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _whole(column: Column, numbers: np.ndarray) -> np.ndarray:
    empty = np.isnan(numbers)
    broken = ~empty & (numbers != np.floor(numbers)) | np.isinf(numbers)
    if broken.any():
        raise SourceError(
            f"column {column.name}: {numbers[broken][0]!r} is not a whole number "
            f"({int(broken.sum())} such values)"
        )
    return numbers if column.nullable or empty.any() else numbers.astype(np.int64)


def _unreadable(column: Column, values: "pd.Series[Any]", wanted: str, *good: type) -> SourceError:
    odd = [v for v in values if not isinstance(v, good) or isinstance(v, bool)] if good else []
    shown = odd[0] if odd else (values.iloc[0] if len(values) else None)
    return SourceError(
        f"column {column.name}: {shown!r} cannot be read as {wanted} (the column is {values.dtype})"
    )
