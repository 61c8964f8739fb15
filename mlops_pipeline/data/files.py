"""Rows from Parquet and CSV files, in a local folder or an object store."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.storage import MAX_BYTES, StoredFile, first_line, read_files
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError

MONTH = "{month}"
SUFFIXES = {"parquet": (".parquet",), "csv": (".csv", ".csv.gz")}
NULLS = ["", "NA"]
COLUMN = re.compile(r"In CSV column #(\d+)")
UNREADABLE = (pa.ArrowException, OSError, ValueError, LookupError, EOFError, zlib.error)
CSV_TYPES = {
    ColumnType.NUMBER: pa.float64(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.CATEGORY: pa.string(),
    ColumnType.TEXT: pa.string(),  # an id such as 007 keeps its zeros
    ColumnType.TIME: pa.timestamp("ns"),
}


def read_file_source(contract: ModelContract, window: Window) -> pd.DataFrame:
    """The rows of the window, in the columns of the files.

    Raises:
        SourceError: a file is missing, damaged, of another encoding, or holds rows of another
            month than its name says.
    """
    frames = list(_frames(contract, window))
    return pd.concat(frames, ignore_index=True)


def _frames(contract: ModelContract, window: Window) -> Iterator[pd.DataFrame]:
    source = contract.source
    suffixes = SUFFIXES[source.kind]
    if MONTH not in source.location:
        for file in read_files(source.location, suffixes):
            yield _inside(contract, _decoded(contract, file), window)
        return
    for month in window.months():
        for file in read_files(source.location.replace(MONTH, month), suffixes):
            frame = _decoded(contract, file)
            _require_month(contract, frame, month, file.place)
            yield _inside(contract, frame, window)


def _decoded(contract: ModelContract, file: StoredFile) -> pd.DataFrame:
    decode: Callable[[ModelContract, StoredFile], pa.Table]
    decode = _parquet if contract.source.kind == "parquet" else _csv
    try:
        table = decode(contract, file)
    except UNREADABLE as error:
        kind = contract.source.kind
        what = _told(contract, file, first_line(error)) if kind == "csv" else first_line(error)
        encoding = f", encoding {contract.source.encoding}" if kind == "csv" else ""
        raise SourceError(
            f"{file.place}: is no readable {kind} ({len(file.content)} bytes{encoding}): {what}"
        ) from None  # all of the cause is said
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _parquet(_: ModelContract, file: StoredFile) -> pa.Table:
    return parquet_table(file.content)


def _csv(contract: ModelContract, file: StoredFile) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.BufferReader(_text_of(file)),
        read_options=pyarrow.csv.ReadOptions(encoding=contract.source.encoding),
        parse_options=pyarrow.csv.ParseOptions(delimiter=contract.source.delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={column.name: _csv_type(column) for column in contract.columns},
            null_values=NULLS,
            strings_can_be_null=True,
        ),
    )


def parquet_table(content: bytes, limit: int = MAX_BYTES) -> pa.Table:
    """The rows of a Parquet file.

    Raises:
        ValueError: they need more than `limit` bytes; a small file can say that it holds billions.
        pa.ArrowException, OSError: it is damaged.
    """
    found = pq.ParquetFile(pa.BufferReader(content))
    cells = found.metadata.num_rows * found.metadata.num_columns
    if cells * 8 > limit:
        raise ValueError(f"{cells} cells need more than {limit} bytes; split the file")
    return found.read()


def inflated(content: bytes, limit: int = MAX_BYTES) -> bytes:
    """What gzip packed.

    Raises:
        ValueError: it is more than `limit` bytes; no more than these are ever made.
        OSError, EOFError, zlib.error: it is no gzip, or damaged.
    """
    with gzip.open(io.BytesIO(content)) as packed:
        found: bytes = packed.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"inflates to more than {limit} bytes; split the file")
    return found


def _told(contract: ModelContract, file: StoredFile, what: str) -> str:
    """What went wrong, with the column's name for its number, and the line of a wrong letter."""
    found = COLUMN.search(what)
    if found is None:
        return what
    content, source = _text_of(file), contract.source
    head = content.partition(b"\n")[0].decode(source.encoding, errors="replace")
    names = dict(enumerate(next(csv.reader([head], delimiter=source.delimiter), [])))
    what = COLUMN.sub(f"column {names.get(int(found[1]), found[1])}", what)
    try:
        content.decode(source.encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{what} in line {line}; is it of another encoding than source.encoding says?"
    return what


def _text_of(file: StoredFile) -> bytes:
    return inflated(file.content) if file.place.endswith(".gz") else file.content


def _csv_type(column: Column) -> pa.DataType:
    return CSV_TYPES[column.type]


def _inside(contract: ModelContract, frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Rows of the window, and those without a readable time: they are refused by name later."""
    times = frame.get(contract.event_time)
    if times is None or times.dtype.kind != "M" or getattr(times.dtype, "tz", None) is not None:
        return frame
    return frame[window.mask(times) | times.isna().to_numpy()]


def _require_month(contract: ModelContract, frame: pd.DataFrame, month: str, place: str) -> None:
    times = frame.get(contract.event_time)
    if times is None or times.dtype.kind != "M" or getattr(times.dtype, "tz", None) is not None:
        return
    wrong = ~Window.of_month(month).mask(times)
    if wrong.any():
        raise SourceError(
            f"{place}: {int(wrong.sum())} of {len(frame)} rows are of another month, the first of "
            f"{times[wrong].iloc[0]}"
        )
