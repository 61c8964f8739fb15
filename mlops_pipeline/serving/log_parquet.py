"""Request records in Parquet, equal to those of the spool they were made of.

`row` and `features` are structs with a field a column, so that a query engine reads single ones.
A reader's and a compactor's module: no server imports pyarrow.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_spool import PARQUET
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord, read_spool

GROUP = 16_384  # records in one row group
_PLAIN = {
    **dict.fromkeys(("id", "model", "version", "arm", "unit", "outcome"), pa.string()),
    **dict.fromkeys(("event_time", "digest", "trace"), pa.string()),
    **dict.fromkeys(("at", "score", "latency_ms", "rate"), pa.float64()),
    "status": pa.int32(),
    "classes": pa.list_(pa.float64()),
}
_STRUCTS = ("row", "features")


def to_parquet(spool: Path) -> tuple[Path, int]:
    """The spool's records stand in a Parquet file beside it, synced; the file and their number.

    Raises:
        ServingError: a line is no record.
    """
    target = spool.with_suffix(PARQUET)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    schema = _schema(spool)
    count = 0
    try:
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            records = read_spool(spool)
            while group := list(islice(records, GROUP)):
                rows = [_plain(record) for record in group]
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(group)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target, count


def read_parquet(path: Path, since: float | None = None) -> Iterator[RequestRecord]:
    """The records of the file; groups whose newest is before `since` are not read.

    Raises:
        ServingError: it is no such file.
    """
    try:
        with pq.ParquetFile(path) as file:
            at = file.schema_arrow.get_field_index("at")
            for group in range(file.num_row_groups):
                statistics = file.metadata.row_group(group).column(at).statistics
                if since is not None and statistics is not None and statistics.max < since:
                    continue
                for row in file.read_row_group(group).to_pylist():
                    yield _record(row)
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise ServingError(f"{path}: no request records: {error}") from error


def newest(path: Path) -> float:
    """When the newest record of the file arrived; unix seconds."""
    with pq.ParquetFile(path) as file:
        at = file.schema_arrow.get_field_index("at")
        groups = range(file.num_row_groups)
        return max(
            (file.metadata.row_group(group).column(at).statistics.max for group in groups),
            default=0.0,
        )


def _schema(spool: Path) -> pa.Schema:
    """Fields in the record's order; those of the structs as the file's records have them."""
    kinds: dict[str, dict[str, pa.DataType]] = {name: {} for name in _STRUCTS}
    for record in read_spool(spool):
        for name in _STRUCTS:
            known = kinds[name]
            for key, value in getattr(record, name).items():
                if isinstance(value, str):
                    known[key] = pa.string()
                else:
                    known.setdefault(key, pa.float64())
    structs = {name: pa.struct(list(known.items())) for name, known in kinds.items() if known}
    types = {**_PLAIN, **structs}
    return pa.schema([(n, types[n]) for n in RequestRecord.__struct_fields__ if n in types])


def _plain(record: RequestRecord) -> dict[str, Any]:
    values = msgspec.structs.asdict(record)
    for name in _STRUCTS:
        values[name] = values[name] or None  # a record without any is a null, not a struct of nulls
    if values["classes"] is msgspec.UNSET:
        values["classes"] = None
    return values


def _record(row: Mapping[str, Any]) -> RequestRecord:
    return RequestRecord(
        **{
            **row,
            "arm": Arm(row["arm"]),
            "outcome": Outcome(row["outcome"]),
            "row": row.get("row") or {},
            "features": row.get("features") or {},
            "classes": msgspec.UNSET if row.get("classes") is None else row["classes"],
        }
    )
