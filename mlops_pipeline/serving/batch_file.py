"""Batch scoring of a Parquet file: out of core, and going on where it was stopped.

OUTPUT.parts/plan.json          what is scored by what; another plan is another folder's work
OUTPUT.parts/000000.parquet …   scored slices, each whole or not there
OUTPUT                          appears whole by a rename, when every part is there
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_pipeline.data.objects import canonical_json, digest_of, write_durably
from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.batch import BatchScorer

PART_ROWS = 65_536
PLAN = "plan.json"
Progress = Callable[[int, int], None]  # (rows done, rows in all)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run did."""

    rows: int
    scored: int
    refused: int  # rows that a server would refuse; their `error` says why
    resumed: int  # rows that an earlier run had scored
    version: str
    features_as_of: str | None


def score_file(
    scorer: BatchScorer,
    source: Path,
    target: Path,
    *,
    progress: Progress | None = None,
    part_rows: int = PART_ROWS,
) -> BatchReport:
    """Every row of `source` stands with its answer in `target`, in the same order.

    Raises:
        ServingError: the input does not fit, or the parts are of another version or input.
    """
    try:
        file = pq.ParquetFile(source)
    except (OSError, pa.ArrowException) as error:
        raise ServingError(f"{source} is no Parquet file: {error}") from error
    with file:
        scorer.check(file.schema_arrow)
        parts = _opened(scorer, source, target, part_rows)
        total = file.metadata.num_rows
        done = resumed = 0
        for number, size, read in _slices(file, part_rows):
            path = parts / f"{number:06}.parquet"
            if path.exists():
                resumed += size
            else:
                _write(scorer.score(read()), path)
            done += size
            if progress is not None:
                progress(done, total)
        refused = _join(parts, target, scorer, file.schema_arrow)
    shutil.rmtree(parts)
    as_of = str(scorer.snapshot.as_of) if scorer.contract.history else None
    return BatchReport(total, total - refused, refused, resumed, scorer.version, as_of)


def _opened(scorer: BatchScorer, source: Path, target: Path, part_rows: int) -> Path:
    """The folder of parts of this very work."""
    about = source.stat()
    plan = canonical_json(
        {
            "input": [str(source.resolve()), about.st_size, about.st_mtime_ns],
            "lineage": scorer.bundle.manifest.lineage_digest,
            "version": scorer.version,
            "snapshot": digest_of(canonical_json(msgspec.to_builtins(scorer.snapshot))),
            "part_rows": part_rows,
        }
    )
    parts = target.with_name(f"{target.name}.parts")
    known = parts / PLAN
    if known.exists() and known.read_bytes() != plan:
        raise ServingError(
            f"{parts} holds parts of another input, version or feature snapshot; "
            "delete it, or finish that work first"
        )
    if not known.exists():
        parts.mkdir(parents=True, exist_ok=True)
        write_durably(known, plan)
    return parts


def _slices(
    file: pq.ParquetFile, part_rows: int
) -> Iterator[tuple[int, int, Callable[[], pa.Table]]]:
    """Number, rows and reader of each slice; what is not read is not decoded."""
    number = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        batches: Iterator[pa.RecordBatch] | None = None
        passed = 0  # slices of this group that were read or skipped
        for start in range(0, rows, part_rows):
            size = min(part_rows, rows - start)

            def read(group: int = group, place: int = start // part_rows) -> pa.Table:
                nonlocal batches, passed
                if batches is None:
                    batches = file.iter_batches(batch_size=part_rows, row_groups=[group])
                while passed < place:
                    next(batches)
                    passed += 1
                passed += 1
                return pa.Table.from_batches([next(batches)])

            yield number, size, read
            number += 1


def _write(table: pa.Table, path: Path) -> None:
    aside = path.with_name(f".{path.name}")
    pq.write_table(table, aside)
    os.replace(aside, path)


def _join(parts: Path, target: Path, scorer: BatchScorer, schema: pa.Schema) -> int:
    """All parts are one file; how many rows were refused."""
    refused = 0
    aside = target.with_name(f".{target.name}.whole")
    empty = scorer.score(schema.empty_table())
    with pq.ParquetWriter(aside, empty.schema) as writer:
        for path in sorted(parts.glob("*.parquet")):
            table = pq.read_table(path, partitioning=None).cast(empty.schema)
            refused += len(table) - table["error"].null_count
            writer.write_table(table)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(aside, target)
    return refused
