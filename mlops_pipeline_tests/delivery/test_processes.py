"""Children: known again by pid and start time, never confused with a stranger."""

import os
import signal
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from mlops_pipeline.delivery.processes import Mark, ProcessBook
from mlops_pipeline.errors import DeliveryError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    "; time.sleep(60)",
]  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture
def book(tmp_path: Path):
    made = ProcessBook(tmp_path / "processes", tmp_path / "logs")
    yield made
    made.end_strays([])


def test_a_live_child_is_adopted_by_the_next_book(book: ProcessBook, tmp_path: Path):
    child = book.start("sleeper", SLEEPER)
    again = ProcessBook(tmp_path / "processes", tmp_path / "logs").adopt("sleeper", SLEEPER)
    assert again.pid == child.pid
    again.stop(5)
    assert child.wait(5)
    assert not child.alive()
    assert book.adopt("sleeper", SLEEPER) is None


def test_a_child_with_another_command_line_is_ended_instead(book: ProcessBook):
    child = book.start("sleeper", SLEEPER)
    assert book.adopt("sleeper", [*SLEEPER, "other"]) is None
    assert not child.alive()


def test_a_stranger_with_the_same_pid_is_left_alone(book: ProcessBook, tmp_path: Path):
    me = psutil.Process()
    mark = Mark("sleeper", me.pid, me.create_time() - 3600, "digest")
    (tmp_path / "processes" / "sleeper.json").write_bytes(msgspec.json.encode(mark))
    assert book.adopt("sleeper", SLEEPER) is None


def test_a_child_that_ignores_sigterm_is_killed(book: ProcessBook):
    child = book.start("deaf", DEAF)
    while "deaf" not in book.tail("deaf"):
        assert child.alive()
    child.stop(patience=0.2)
    assert not child.alive()


def test_only_strays_of_this_book_are_ended(book: ProcessBook, tmp_path: Path):
    other = ProcessBook(tmp_path / "other", tmp_path / "logs")
    known, stray, stranger = (
        book.start("known", SLEEPER), book.start("stray", SLEEPER), other.start("x", SLEEPER),
    )  # fmt: skip
    book.forget("stray")
    assert book.end_strays(["known"]) == [stray.pid]
    assert known.alive()
    assert stranger.alive()
    assert stray.wait(5)
    for child in (known, stranger):
        child.stop(5)


def test_a_signal_to_our_terminal_does_not_reach_children(book: ProcessBook):
    child = book.start("sleeper", SLEEPER)
    assert os.getsid(child.pid) != os.getsid(0)
    child.stop(5)


def test_a_program_that_is_not_there_is_named(book: ProcessBook):
    with pytest.raises(DeliveryError, match=r"x: /nowhere/program cannot be started"):
        book.start("x", ["/nowhere/program"])


def test_a_signal_to_an_ended_child_is_nothing(book: ProcessBook):
    child = book.start("short", [sys.executable, "-c", "pass"])
    assert child.wait(10)
    child.signal(signal.SIGTERM)
