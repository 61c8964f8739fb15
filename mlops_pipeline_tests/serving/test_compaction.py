import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.compaction import DAY, Compacted, Compactor, compact
from mlops_pipeline.serving.log_parquet import to_parquet
from mlops_pipeline.serving.request_log import (
    Arm,
    Outcome,
    RequestLog,
    RequestRecord,
    log_files,
    read_records,
)
from mlops_pipeline_tests.serving.test_request_log import later, record, write
from mlops_pipeline_tests.serving.waiting import wait_for

REFUSED = replace(
    record("no"),
    status=422,
    outcome=Outcome.INVALID,
    score=None,
    event_time=None,
    row={},
    features={},
)
SHADOW = replace(record("copy", arm=Arm.SHADOW), digest="ab" * 16, rate=0.25)

NOW = time.time()


def everything(folder: Path) -> list[RequestRecord]:
    return sorted(read_records(folder), key=lambda r: r.id)


def test_parquet_gives_back_the_very_records(tmp_path: Path) -> None:
    write(tmp_path, record("a"), REFUSED, SHADOW)
    before = everything(tmp_path)
    assert compact(tmp_path, now=100.0) == Compacted(files=2, records=3, removed=0)
    assert [path.suffix for path in log_files(tmp_path)] == [".parquet", ".parquet"]
    assert everything(tmp_path) == before == [record("a"), SHADOW, REFUSED]
    assert [r.id for r in read_records(tmp_path, arm=Arm.SHADOW)] == ["copy"]


def test_a_query_engine_reads_single_features(tmp_path: Path) -> None:
    write(tmp_path, record("a"), REFUSED)
    compact(tmp_path, now=100.0)
    (path,) = log_files(tmp_path)
    table = pq.read_table(path, columns=["features.carrier"])
    assert table.to_pydict() == {"carrier": [11.0, None]}


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    log = RequestLog(tmp_path)
    log.start()
    log.append(later(record("a")))
    wait_for(lambda: log.written == 1)
    assert compact(tmp_path, now=100.0).files == 0
    log.close()
    assert compact(tmp_path, now=100.0).files == 1


def test_parquet_goes_before_the_spool_it_was_made_of(tmp_path: Path) -> None:
    """A compaction that was killed between the two steps leaves both."""
    write(tmp_path, record("a"))
    (spool,) = log_files(tmp_path)
    to_parquet(spool)
    assert spool.exists()
    assert everything(tmp_path) == [record("a")]
    assert compact(tmp_path, now=100.0).files == 1
    assert everything(tmp_path) == [record("a")]


def test_a_new_file_never_takes_the_name_of_a_compacted_one(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    compact(tmp_path, now=100.0)
    write(tmp_path, record("b"))
    compact(tmp_path, now=100.0)
    assert everything(tmp_path) == [record("a"), record("b")]


def test_a_file_with_a_broken_line_stays_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, record("a"))
    (spool,) = log_files(tmp_path)
    with spool.open("ab") as file:
        file.write(b'{"id": 5}\n')
    assert compact(tmp_path, now=100.0).files == 0
    assert f"compaction=broken error={spool}:2" in caplog.text
    assert spool.exists()


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (spool,) = log_files(tmp_path)
    with spool.open("ab") as file:
        file.write(msgspec.json.encode(record("torn"))[:-5])
    assert compact(tmp_path, now=100.0).records == 1


def test_records_older_than_the_retention_go_with_their_file(tmp_path: Path) -> None:
    write(tmp_path / "old", record("a", at=100.0))
    write(tmp_path / "new", record("b", at=100.0 + DAY))
    done = compact(tmp_path, now=100.0 + 3 * DAY, keep_days=2.5)
    assert done == Compacted(files=2, records=2, removed=1)
    assert [r.id for r in everything(tmp_path)] == ["b"]


def test_since_reads_only_what_may_hold_it(tmp_path: Path) -> None:
    write(tmp_path, record("old", at=100.0), record("new", at=200.0))
    compact(tmp_path, now=200.0)
    assert [r.id for r in read_records(tmp_path, since=150.0)] == ["new"]
    assert list(read_records(tmp_path, since=250.0)) == []


def test_a_parquet_file_of_something_else_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "live-1-0.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(ServingError, match=r"live-1-0\.parquet: no request records"):
        list(read_records(tmp_path))


@pytest.mark.slow
def test_a_log_that_ends_a_file_has_it_compacted_by_another_process(tmp_path: Path) -> None:
    compactor = Compactor(tmp_path)
    log = RequestLog(tmp_path, file_limit=1, rotated=compactor)
    log.start()
    for name in "ab":
        log.append(later(record(name, at=NOW)))
        wait_for(lambda: log.written == "ab".index(name) + 1)  # noqa: B023
    wait_for(lambda: [path.suffix for path in log_files(tmp_path)] == [".parquet", ".jsonl"], 30)
    compactor.wait(30)
    log.close()
    assert everything(tmp_path) == [record("a", at=NOW), record("b", at=NOW)]


@pytest.mark.slow
def test_a_compaction_killed_at_any_point_loses_no_record(tmp_path: Path) -> None:
    write(tmp_path, *(record(f"r{n:05}", at=NOW) for n in range(20_000)), queue_limit=50_000)
    for pause in (0.2, 0.35, 0.5, 0.7):
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_pipeline.serving.compaction", str(tmp_path)],
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        assert len(everything(tmp_path)) == 20_000
    compact(tmp_path, now=100.0)
    assert [r.id for r in everything(tmp_path)] == [f"r{n:05}" for n in range(20_000)]
    assert not [name for name in os.listdir(tmp_path) if ".parquet." in name]
