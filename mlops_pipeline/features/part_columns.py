"""One stored part, column by column: what keys and counts need, made when asked for.

Texts come as Arrow's dictionary codes; nothing that no feature reads is decoded.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.arrays import derive
from mlops_pipeline.features.counts import MISSING
from mlops_pipeline.features.declared import function_inputs, key_part

SMALL = 1 << 12  # whole numbers within such a span are their own codes
TEXTS = (ColumnType.CATEGORY, ColumnType.TEXT)


class PartColumns(Mapping[str, np.ndarray]):
    """A part's columns as the feature function is given them.

    Raises:
        FeatureError: a key of a history feature is no column and not given by the function.
    """

    def __init__(self, contract: ModelContract, content: bytes) -> None:
        self._contract = contract
        self._table = _read(contract, content)
        self._made: dict[str, np.ndarray] = {}
        self._coded: dict[str, tuple[np.ndarray, list[str]]] = {}
        self._derived: Mapping[str, object] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.column_names)

    def __len__(self) -> int:
        return len(self._table.column_names)

    @property
    def rows(self) -> int:
        """Rows of the part."""
        return int(self._table.num_rows)

    def nanoseconds(self, name: str) -> np.ndarray:
        """A time column as whole nanoseconds since 1970."""
        column = self._table.column(name).combine_chunks()
        times: np.ndarray = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return times

    def coded(self, name: str) -> tuple[np.ndarray, list[str]]:
        """A key part of every row as a code (int64, MISSING where it is empty), and what the codes
        read like in a key."""
        if name not in self._coded:
            self._coded[name] = self._code(name)
        return self._coded[name]

    def _code(self, name: str) -> tuple[np.ndarray, list[str]]:
        if self._is_text(name):
            codes, texts = self._dictionary(name)
            return codes, [str(key_part(text)) for text in texts]
        numbers = self._number(name)
        if len(numbers):
            low, high = numbers.min(), numbers.max()
            if np.isfinite(low) and high - low < SMALL:
                whole = numbers.astype(np.int64)
                if (whole == numbers).all():
                    span = range(int(low), int(high) + 1)
                    return whole - int(low), [str(key_part(float(number))) for number in span]
        codes, distinct = pd.factorize(numbers)
        return codes.astype(np.int64), [str(key_part(value)) for value in distinct.tolist()]

    def _number(self, name: str) -> np.ndarray:
        """A number column, or what the function gives in its place; the function runs once."""
        if name not in {feature.name for feature in self._contract.derived}:
            return self[name]
        if self._derived is None:
            self._derived = derive(self._contract, _Only(self, function_inputs(self._contract)))
        if name not in self._derived:
            return self[name]
        return np.asarray(self._derived[name], dtype=np.float64)

    def _is_text(self, name: str) -> bool:
        contract = self._contract
        return name in contract.column_names and contract.column(name).type in TEXTS

    def _dictionary(self, name: str) -> tuple[np.ndarray, list[str]]:
        array = self._table.column(name).combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = array.unify_dictionaries().combine_chunks()
        indices = array.indices.fill_null(MISSING) if array.null_count else array.indices
        codes: np.ndarray = indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, array.dictionary.to_pylist()

    def _make(self, name: str) -> np.ndarray:
        if self._contract.column(name).type is ColumnType.TIME:
            seconds: np.ndarray = self.nanoseconds(name) // 1000 / 1e6
            return seconds
        if self._is_text(name):
            codes, texts = self._dictionary(name)
            words: np.ndarray = np.array([*texts, None], dtype=object)[codes]
            return words
        column = self._table.column(name).cast(pa.float64(), safe=False)
        numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
        return numbers


class _Only(Mapping[str, np.ndarray]):
    """The columns that the function may read, and no other."""

    def __init__(self, columns: PartColumns, names: Iterable[str]) -> None:
        self._columns = columns
        self._names = tuple(names)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read(contract: ModelContract, content: bytes) -> pa.Table:
    derived = {feature.name for feature in contract.derived}
    keys = {name for feature in contract.history for name in feature.keys}
    wanted = {contract.event_time, contract.target.column, *function_inputs(contract)}
    wanted |= keys & set(contract.column_names)
    unknown = keys - derived - wanted
    if unknown:
        raise FeatureError(f"keys {', '.join(sorted(unknown))}: neither columns nor features")
    names = [name for name in contract.column_names if name in wanted]
    texts = [name for name in names if contract.column(name).type in TEXTS]
    # Read as one file: `read_table` would plan it as a data set of one, at half the speed.
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    return file.read(columns=names, use_threads=False)
