"""Request records in Parquet, equal to those of the spool they were made of.

`row` and `features` are structs with a field a column, so that a query engine reads single ones.
A reader's and a compactor's module: no server imports pyarrow.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from msgspec import UNSET

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_spool import PARQUET
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord, read_spool

GROUP = 16_384  # records in one row group
BLOCK = 4 * 1024 * 1024  # bytes of JSON at a time; no record is larger, for no request is
_PLAIN = {
    **dict.fromkeys(("id", "model", "version", "arm", "unit", "outcome"), pa.string()),
    **dict.fromkeys(("event_time", "digest", "trace"), pa.string()),
    **dict.fromkeys(("at", "score", "latency_ms", "rate"), pa.float64()),
    "status": pa.int32(),
}
_STRUCTS = ("row", "features")
_CLASSES = {"classes": pa.list_(pa.float64())}  # where a record has them


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a spool holds, as far as its JSON alone does not say."""

    count: int
    schema: pa.Schema
    empty: Mapping[str, Sequence[bool]]  # by struct: whether a record has none


def to_parquet(spool: Path) -> tuple[Path, int]:
    """The spool's records stand in a Parquet file beside it, synced; the file and their number.

    Raises:
        ServingError: a line is no record.
    """
    target = spool.with_suffix(PARQUET)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    contents = _contents(spool)
    try:
        pq.write_table(_table(spool, contents), aside, compression="zstd", row_group_size=GROUP)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target, contents.count


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


def _contents(spool: Path) -> _Contents:
    """Every line is a record; fields in the record's order, those of structs as the records have
    them."""
    kinds: dict[str, dict[str, pa.DataType]] = {name: {} for name in _STRUCTS}
    empty: dict[str, list[bool]] = {name: [] for name in _STRUCTS}
    classes: dict[str, pa.DataType] = {}
    for record in read_spool(spool):
        if record.classes is not UNSET:
            classes = _CLASSES
        for name in _STRUCTS:
            known, found = kinds[name], getattr(record, name)
            empty[name].append(not found)
            for key, value in found.items():
                if isinstance(value, str):
                    known[key] = pa.string()
                else:
                    known.setdefault(key, pa.float64())
    structs = {name: pa.struct(list(known.items())) for name, known in kinds.items() if known}
    types = {**_PLAIN, **structs, **classes}
    schema = pa.schema([(n, types[n]) for n in RequestRecord.__struct_fields__ if n in types])
    return _Contents(len(empty[_STRUCTS[0]]), schema, empty)


def _table(spool: Path, contents: _Contents) -> pa.Table:
    """The records, read by Arrow: in a third of the time that Python's objects take.

    Raises:
        ServingError: the spool is not what it was when its contents were read.
    """
    if not contents.count:
        return contents.schema.empty_table()
    lines = spool.read_bytes()
    whole = lines[: lines.rindex(b"\n") + 1]  # without one that was torn when its process died
    try:
        table = pj.read_json(
            pa.BufferReader(whole),
            read_options=pj.ReadOptions(use_threads=False, block_size=BLOCK),
            parse_options=pj.ParseOptions(
                explicit_schema=contents.schema, unexpected_field_behavior="ignore"
            ),
        ).combine_chunks()
    except pa.ArrowException as error:
        raise ServingError(f"{spool}: no request records: {error}") from error
    for name in set(_STRUCTS) & set(table.column_names):
        place, column = table.column_names.index(name), table[name].chunk(0)
        # A record without any is a null, not a struct of nulls.
        mask = pa.array(contents.empty[name])
        column = pa.StructArray.from_arrays(column.flatten(), fields=list(column.type), mask=mask)
        table = table.set_column(place, name, column)
    return table


def _record(row: Mapping[str, Any]) -> RequestRecord:
    return RequestRecord(
        **{
            **row,
            "arm": Arm(row["arm"]),
            "outcome": Outcome(row["outcome"]),
            "row": row.get("row") or {},
            "features": row.get("features") or {},
            "classes": UNSET if row.get("classes") is None else row["classes"],
        }
    )
