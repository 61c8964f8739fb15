import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.request_log import (
    Arm,
    Outcome,
    RequestLog,
    RequestRecord,
    log_files,
    read_records,
)
from mlops_pipeline_tests.serving.waiting import wait_for


def record(name: str, *, at: float = 100.0, arm: Arm = Arm.LIVE) -> RequestRecord:
    return RequestRecord(
        id=name,
        at=at,
        model="m",
        version="1",
        arm=arm,
        unit=name,
        status=200,
        outcome=Outcome.OK,
        score=0.25,
        latency_ms=0.5,
        event_time="2013-04-01T06:30:00",
        row={"carrier": "UA", "temp": None},
        features={"carrier": 11.0, "temp": None},
    )


def later(value: RequestRecord) -> Callable[[], RequestRecord]:
    return lambda: value


def write(folder: Path, *records: RequestRecord, **options: Any) -> RequestLog:
    log = RequestLog(folder, **options)
    log.start()
    for value in records:
        log.append(later(value))
    log.close()
    return log


def test_what_was_appended_is_read_back_equal(tmp_path: Path) -> None:
    log = write(tmp_path, record("a"), record("b"))
    assert list(read_records(tmp_path)) == [record("a"), record("b")]
    assert (log.written, log.dropped, log.waiting) == (2, 0, 0)


def test_live_and_shadow_go_to_files_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, record("a"), record("b", arm=Arm.SHADOW))
    assert [path.name for path in log_files(tmp_path)] == [
        f"live-{os.getpid()}-0.jsonl",
        f"shadow-{os.getpid()}-0.jsonl",
    ]
    assert [r.id for r in read_records(tmp_path, arm=Arm.SHADOW)] == ["b"]


def test_since_leaves_earlier_records_out(tmp_path: Path) -> None:
    write(tmp_path, record("old", at=100.0), record("new", at=200.0))
    assert [r.id for r in read_records(tmp_path, since=200.0)] == ["new"]


def test_records_of_every_version_below_the_folder_are_read(tmp_path: Path) -> None:
    write(tmp_path / "1", record("a"))
    write(tmp_path / "2", record("b"))
    assert {r.id for r in read_records(tmp_path)} == {"a", "b"}


def test_under_back_pressure_records_are_dropped_and_counted(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, queue_limit=2)
    for name in "abcde":
        log.append(later(record(name)))
    assert (log.waiting, log.dropped) == (2, 3)
    log.start()
    log.close()
    assert [r.id for r in read_records(tmp_path)] == ["a", "b"]


def test_append_returns_while_the_writer_is_held_up(tmp_path: Path) -> None:
    held, release = Event(), Event()

    def slow() -> None:
        held.set()
        release.wait(10)

    log = RequestLog(tmp_path, queue_limit=3, file_limit=1, rotated=slow)
    log.start()
    log.append(later(record("first")))
    wait_for(lambda: log.written == 1)
    log.append(later(record("slow")))  # the writer ends the full file, and waits
    assert held.wait(10)
    for name in "abcd":
        log.append(later(record(name)))
    assert log.dropped == 1
    release.set()
    log.close()
    assert [r.id for r in read_records(tmp_path)] == ["first", "slow", "a", "b", "c"]


def test_a_record_that_cannot_be_made_is_counted_and_the_next_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> RequestRecord:
        raise ValueError("no record")

    log = RequestLog(tmp_path)
    log.start()
    log.append(broken)
    log.append(later(record("a")))
    log.close()
    assert (log.written, log.dropped) == (1, 1)
    assert "request_log=unencodable error=no record" in caplog.text


def test_a_long_file_is_followed_by_the_next_one(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, file_limit=1)
    log.start()
    for name in "ab":
        log.append(later(record(name)))
        wait_for(lambda: not log.waiting and log.written == "ab".index(name) + 1)  # noqa: B023
    log.close()
    assert [r.id for r in read_records(tmp_path)] == ["a", "b"]
    assert len(log_files(tmp_path)) == 2


def test_a_file_of_an_earlier_process_with_this_pid_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, record("first"))
    write(tmp_path, record("second"))
    assert [r.id for r in read_records(tmp_path)] == ["first", "second"]
    assert len(log_files(tmp_path)) == 2


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (path,) = log_files(tmp_path)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(record("torn"))[:-5])
    assert [r.id for r in read_records(tmp_path)] == ["a"]


def test_a_broken_line_is_an_error_that_names_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (path,) = log_files(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"id": 5}\n')
    with pytest.raises(ServingError, match=r"live-\d+-0.jsonl:2: no request record"):
        list(read_records(tmp_path))


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingError, match=r"request log .*file/log.*name a folder"):
        RequestLog(tmp_path / "file" / "log").start()


APPENDER = """
import sys, time
from pathlib import Path
from mlops_pipeline.serving.request_log import RequestLog
from mlops_pipeline_tests.serving.test_request_log import later, record
log = RequestLog(Path(sys.argv[1]))
log.start()
number = 0
while True:
    log.append(later(record(str(number), at=time.time())))
    number += 1
    if number % 100 == 0:
        print(number, time.time(), flush=True)
    time.sleep(0.0005)
"""


@pytest.mark.slow
def test_sigkill_loses_at_most_the_last_second(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    appended = [process.stdout.readline().split() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    killed = time.time()
    process.wait(10)
    appended += [line.split() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    found = {r.id for r in read_records(tmp_path)}
    safe = max(int(number) for number, at in appended if float(at) < killed - 1.0)
    assert {str(number) for number in range(safe)} <= found


def test_lines_are_plain_json(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (path,) = log_files(tmp_path)
    assert json.loads(path.read_text())["features"] == {"carrier": 11.0, "temp": None}
