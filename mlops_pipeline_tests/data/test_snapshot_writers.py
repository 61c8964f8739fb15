"""Several processes write to one store, and one of them is killed in the middle of a write."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline_tests.data import tiny

pytestmark = pytest.mark.slow

PREAMBLE = """
import resource, signal, sys
from pathlib import Path
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline_tests.data import tiny
home = Path(sys.argv[1])
snapshots = Snapshots(ObjectStore(home / "objects"), home / "parts")
contract = tiny.contract()
"""
APPEND = """
me = sys.argv[2]
for n in range(10):
    rows = [(f"2024-01-{n + 1:02d}T09:00", "a", f"{me}-{n}", 1.0, 1, 1.0)]
    snapshots.store_part(contract, "2024-01", tiny.frame(rows))
    rows = [(f"202{me}-0{n % 9 + 1}-01T09:00", "a", f"{n}", 1.0, 1, 1.0)]
    snapshots.store_part(contract, f"202{me}-0{n % 9 + 1}", tiny.frame(rows))
"""
WITHOUT_END = """
for n in range(1_000_000):
    rows = [(f"2024-01-01T09:{i // 60:02d}:{i % 60:02d}", "a", f"{n}-{i}", 1.0, 1, 1.0)
            for i in range(500)]
    snapshots.store_part(contract, "2024-01", tiny.frame(rows))
    snapshots.commit(contract, Window.of_month("2024-01"))
"""
# Beyond its limit of file size the kernel kills the process in the middle of the write.
DIE = """
rows = [(f"2024-01-01T09:{i // 60 % 60:02d}:{i % 60:02d}", "a", f"{i * 7919}", 1.0, 1, 1.0)
        for i in range(3000)]
frame = tiny.frame(rows)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
snapshots.store_part(contract, "2024-01", frame)
"""


def start(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PREAMBLE + script, *arguments])


def test_four_processes_that_append_lose_nothing(tmp_path: Path) -> None:
    writers = [start(APPEND, str(tmp_path), str(number)) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    snapshots = Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")
    held = snapshots.history("visits", "2024-01")
    assert len({part.digest for part in held}) == len(held) == 40
    assert len(snapshots.parts("visits")) == 1 + 4 * 9
    for part in held:
        assert snapshots.objects.get(part.digest)


def test_a_writer_killed_in_a_write_leaves_no_visible_half(tmp_path: Path) -> None:
    assert start(DIE, str(tmp_path)).wait(120) == -signal.SIGXFSZ
    halves = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [half.stat().st_size for half in halves] == [4096]  # it did die inside
    snapshots = Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")
    assert snapshots.parts("visits") == {}
    january = tiny.frame(tiny.ROWS[:7])
    snapshots.store_part(tiny.contract(), "2024-01", january)
    snapshot = snapshots.commit(tiny.contract(), Window.of_month("2024-01"))
    pd.testing.assert_frame_equal(snapshots.read(snapshot), january)


def test_writers_killed_at_any_moment_leave_only_what_is_whole(tmp_path: Path) -> None:
    snapshots = Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")
    for _ in range(4):
        before = len(snapshots.log("visits"))
        writer = start(WITHOUT_END, str(tmp_path))
        deadline = time.monotonic() + 120
        while len(snapshots.log("visits")) < before + 5:
            assert writer.poll() is None
            assert time.monotonic() < deadline
        writer.kill()
        assert writer.wait(60) == -signal.SIGKILL
        for part in snapshots.history("visits", "2024-01"):
            assert snapshots.objects.get(part.digest)
        log = snapshots.log("visits")
        assert [entry.parent for entry in log] == [None, *(entry.digest for entry in log[:-1])]
        for entry in log:
            assert len(snapshots.read(entry.digest)) == 500
