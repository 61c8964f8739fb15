"""One partition's rows as Parquet bytes, and back: equal rows give equal bytes."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import SnapshotCorrupt

# Everything that shapes the bytes is said here; a new pyarrow may still write others, and then an
# equal frame has a new digest. Its version stands in each file.
WRITER = {
    "version": "2.6",  # keeps nanoseconds
    "compression": "zstd",
    "compression_level": 3,
    "data_page_version": "1.0",
    "row_group_size": 1 << 20,
    "write_statistics": True,
    "use_dictionary": True,
    "store_schema": False,
}


def schema_of(contract: ModelContract) -> pa.Schema:
    """The stored columns, in the contract's order."""
    return pa.schema([(column.name, _stored(column)) for column in contract.columns])


def encode_part(contract: ModelContract, frame: pd.DataFrame) -> bytes:
    """Parquet bytes of a frame that `sources.conform` made."""
    table = pa.Table.from_pandas(frame, schema=schema_of(contract), preserve_index=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, **WRITER)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def part_schema(content: bytes) -> pa.Schema:
    """The columns of a stored part.

    Raises:
        SnapshotCorrupt: the bytes are not Parquet.
    """
    try:
        return pq.read_schema(pa.BufferReader(content))
    except pa.ArrowInvalid as error:
        raise SnapshotCorrupt(f"a part is not Parquet: {error}") from error


def columns_of(content: bytes) -> dict[str, str]:
    """Names and stored types of a part's columns."""
    return {field.name: str(field.type) for field in part_schema(content)}


def column_changes(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """Columns that were added, removed or retyped, by name."""
    return (
        *(f"{name} added" for name in now if name not in before),
        *(f"{name} removed" for name in before if name not in now),
        *(
            f"{name} was {before[name]}, is {kind}"
            for name, kind in now.items()
            if before.get(name, kind) != kind
        ),
    )


def decode_parts(contents: Iterable[bytes]) -> pd.DataFrame:
    """The rows of several parts of one schema, in their order, as they were before encoding."""
    tables = [pq.ParquetFile(pa.BufferReader(content)).read() for content in contents]
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def _stored(column: Column) -> pa.DataType:
    match column.type:
        case ColumnType.TIME:
            return pa.timestamp("ns")
        case ColumnType.CATEGORY | ColumnType.TEXT:
            return pa.string()
        case ColumnType.INTEGER if not column.nullable:
            return pa.int64()
        case _:
            return pa.float64()
