"""Rows from Parquet and CSV files, in a local folder or an object store."""

import gzip
from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.storage import StoredFile, read_files
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError

MONTH = "{month}"
SUFFIXES = {"parquet": (".parquet",), "csv": (".csv", ".csv.gz")}
NULLS = ["", "NA"]
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
    except (pa.ArrowException, OSError, ValueError, LookupError) as error:
        what = str(error).splitlines()[0]
        raise SourceError(
            f"{file.place}: is no readable {contract.source.kind} "
            f"({len(file.content)} bytes, encoding {contract.source.encoding}): {what}"
        ) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _parquet(_: ModelContract, file: StoredFile) -> pa.Table:
    return pq.read_table(pa.BufferReader(file.content))


def _csv(contract: ModelContract, file: StoredFile) -> pa.Table:
    content = gzip.decompress(file.content) if file.place.endswith(".gz") else file.content
    return pyarrow.csv.read_csv(
        pa.BufferReader(content),
        read_options=pyarrow.csv.ReadOptions(encoding=contract.source.encoding),
        parse_options=pyarrow.csv.ParseOptions(delimiter=contract.source.delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={column.name: _csv_type(column) for column in contract.columns},
            null_values=NULLS,
            strings_can_be_null=True,
        ),
    )


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
