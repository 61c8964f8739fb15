import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_counts import Counted, read_counts
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayRequest
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog, read_records
from mlops_pipeline_tests.serving.processes import serving
from mlops_pipeline_tests.serving.test_request_log import later, record, write
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import body, flights


def test_counts_outlive_the_log_and_say_that_nothing_was_lost(tmp_path: Path) -> None:
    log = write(tmp_path, record("a"), record("b"))
    log.leave_out()
    assert list(read_counts(tmp_path)) == [Counted(f"{os.getpid()}-0", False, 2, 0, 0, 0, 2)]
    assert (log.written, log.sampled_out) == (2, 1)


def test_what_was_counted_before_the_start_is_kept(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, queue_limit=1)
    log.append(later(record("a")))
    log.append(later(record("b")))
    log.start()
    log.close()
    (counted,) = read_counts(tmp_path)
    assert (counted.appended, counted.dropped, counted.written, counted.lost) == (2, 1, 1, 0)


DYING = """
import os, signal, sys, threading
from pathlib import Path
from mlops_pipeline.serving.request_log import RequestLog
from mlops_pipeline_tests.serving.test_request_log import later, record
from mlops_pipeline_tests.serving.waiting import wait_for
held, standing = threading.Event(), threading.Event()
def stand():
    standing.set()
    held.wait(60)
log = RequestLog(Path(sys.argv[1]), file_limit=1, rotated=stand)
for number in range(5):
    log.append(later(record(str(number))))
log.start()
wait_for(lambda: log.written == 5)
log.append(later(record("late")))      # the writer ends the full file, and stands still
standing.wait(60)
for number in range(7):
    log.append(later(record("late")))
print("ready", flush=True)
held.wait(60)
"""


@pytest.mark.slow
def test_what_sigkill_took_is_counted_exactly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    (alive,) = read_counts(tmp_path)
    assert (alive.alive, alive.pending, alive.lost) == (True, 8, 0)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    (dead,) = read_counts(tmp_path)
    assert (dead.alive, dead.appended, dead.written, dead.lost) == (False, 13, 5, 8)
    assert len(list(read_records(tmp_path))) == 5


@pytest.mark.slow
def test_after_sigkill_under_load_every_answer_is_on_disk_or_counted_as_lost(
    tmp_path: Path,
) -> None:
    requests = (ReplayRequest(f"r{n}", f"u{n}", body()) for n in range(100_000))
    with serving(tmp_path) as server:
        background = BackgroundReplay("http://v/predict", requests, uds=str(server.socket))
        background.start()
        wait_for(lambda: background.progress.answered >= 2_000)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        heard = background.stop().answered
    (counted,) = read_counts(tmp_path / "log")
    on_disk = len(list(read_records(tmp_path / "log")))
    assert heard <= counted.appended <= heard + 8  # answered, but not heard: one a connection
    assert on_disk <= counted.appended <= on_disk + counted.lost


def maker(rate: float) -> RecordMaker:
    return RecordMaker("m", "1", flights(), rate=rate)


def call(name: str, outcome: Outcome = Outcome.OK) -> Call:
    return Call(arm=Arm.LIVE, at=1.0, id=name, outcome=outcome)


def test_a_hash_of_the_id_decides_so_that_every_arm_and_replay_keeps_the_same_ones() -> None:
    names = [f"request-{n}" for n in range(4_000)]
    quarter, again, half = maker(0.25), maker(0.25), maker(0.5)
    kept = [name for name in names if quarter.keeps(call(name))]
    assert kept == [name for name in names if again.keeps(call(name))]
    assert 900 < len(kept) < 1_100  # 1000 expected, 27 a standard deviation
    larger = {name for name in names if half.keeps(call(name))}
    assert larger.issuperset(kept)


def test_a_record_says_its_rate_and_what_went_wrong_is_always_kept() -> None:
    rare = maker(1e-9)
    assert not rare.keeps(call("a"))
    assert rare.make(call("a")).rate == 1e-9
    for outcome in (Outcome.INVALID, Outcome.ERROR):
        assert rare.keeps(call("a", outcome))
        assert rare.make(call("a", outcome)).rate == 1.0


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ServingError, match=r"log rate .*: a share above 0, at most 1"):
        RequestLog(tmp_path, rate=rate)
