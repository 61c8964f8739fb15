"""How a source's columns differ from the contract's: added, removed and retyped ones, by name."""

from dataclasses import dataclass

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract

NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER)


@dataclass(frozen=True, slots=True)
class Evolution:
    """Columns that the source has beyond the contract, lacks, or holds in another type."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: tuple[str, ...]  # "distance: is object, wanted number"

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("retyped", self.retyped))
        return "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names) or "none"


def evolution(contract: ModelContract, frame: pd.DataFrame) -> Evolution:
    """How the frame's columns differ from the contract's, by their types and not by their values.

    A column of objects may hold what the contract wants; whether it does is `conform`'s to say.
    """
    return Evolution(
        added=tuple(str(name) for name in frame.columns if name not in contract.column_names),
        removed=tuple(name for name in contract.column_names if name not in frame.columns),
        retyped=tuple(
            f"{column.name}: is {frame[column.name].dtype}, wanted {column.type.value}"
            for column in contract.columns
            if column.name in frame.columns and not _fits(column, frame[column.name])
        ),
    )


def _fits(column: Column, values: "pd.Series[float]") -> bool:
    if values.dtype == object:
        return column.type is not ColumnType.TIME or values.empty
    if column.type in NUMBERS:
        return is_numeric_dtype(values) and not is_bool_dtype(values)
    if column.type is ColumnType.TIME:
        return values.dtype.kind == "M" and getattr(values.dtype, "tz", None) is None
    return not is_numeric_dtype(values) and values.dtype.kind != "M"
