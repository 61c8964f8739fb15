"""Child processes that outlive the node that started them, and are known again by the next one.

A journal entry holds pid and start time, because a pid alone may belong to somebody else by now.
Every child also carries the journal's folder in its environment, so that one whose entry was never
written (the node died in between) is found and ended at the next boot.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from mlops_pipeline.data.objects import digest_of, write_durably
from mlops_pipeline.errors import DeliveryError

TAG = "MLOPS_NODE_CHILDREN"
# Forks, and lets the parent end before the program starts: Envoy's hot restart asks the kernel for
# SIGTERM when its parent goes, but it shall outlive the node.
ORPHAN = """
import os, sys, time
parent = os.getpid()
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.0005)
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.dup2(log, 1)
os.dup2(log, 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
START_TOLERANCE = 1.0  # seconds: start times are derived from the clock of the boot
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """Which process it is: nobody else has this pid and this start time."""

    name: str
    pid: int
    started: float
    command: str  # digest of the command line


class Child:
    """A process of ours, started by this node or by the one before."""

    def __init__(self, mark: Mark, process: psutil.Process, own: subprocess.Popen[bytes] | None):
        self.mark = mark
        self._process = process
        self._own = own

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.mark.pid

    def alive(self) -> bool:
        """Whether it runs; reaps it where it is ours and ended."""
        if self._own is not None:
            return self._own.poll() is None
        try:
            return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def signal(self, number: signal.Signals) -> None:
        """It was sent the signal, unless it ended before."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                logger.info("event=child_gone name=%s pid=%d", self.mark.name, self.pid)

    def stop(self, patience: float) -> None:
        """It ended: asked by SIGTERM, after `patience` seconds by SIGKILL."""
        self.signal(signal.SIGTERM)
        if not self.wait(patience):
            logger.warning("event=child_killed name=%s pid=%d", self.mark.name, self.pid)
            self.signal(signal.SIGKILL)
            self.wait(patience)

    def wait(self, timeout: float) -> bool:
        """Whether it ended within `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while self.alive():  # an adopted child may stay behind as a zombie that nobody reaps
            if time.monotonic() > give_up:
                return False
            time.sleep(0.01)
        return True


class ProcessBook:
    """The children of one node, journalled below `folder`; each name has at most one."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs
        folder.mkdir(parents=True, exist_ok=True)
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """A child of that name runs `argv`; what it prints goes to `<logs>/<name>.log`.

        Raises:
            DeliveryError: the program cannot be started.
        """
        environ = {**os.environ, **(env or {}), TAG: str(self._folder)}
        with (self._logs / f"{name}.log").open("ab") as log:
            try:
                own = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environ,
                    start_new_session=True,  # a signal to our terminal is for us alone
                )
            except OSError as error:
                raise DeliveryError(f"{name}: {argv[0]} cannot be started: {error}") from error
        process = psutil.Process(own.pid)
        mark = Mark(name, own.pid, process.create_time(), _digest(argv))
        write_durably(self._path(name), msgspec.json.encode(mark))
        logger.info("event=child_started name=%s pid=%d", name, own.pid)
        return Child(mark, process, own)

    def start_orphan(self, name: str, argv: Sequence[str]) -> Child:
        """As `start`, but the child has no parent from the beginning.

        Raises:
            DeliveryError: the program cannot be started.
        """
        log = self._logs / f"{name}.log"
        started = subprocess.run(
            [sys.executable, "-I", "-S", "-c", ORPHAN, str(log), *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, TAG: str(self._folder)},
            start_new_session=True,
            check=False,
        )
        if started.returncode != 0:
            raise DeliveryError(f"{name}: {argv[0]} cannot be started: {started.stderr.decode()}")
        try:
            process = psutil.Process(int(started.stdout))
            mark = Mark(name, process.pid, process.create_time(), _digest(argv))
        except psutil.NoSuchProcess as error:
            raise DeliveryError(f"{name} ended at once: {self.tail(name, 600)}") from error
        write_durably(self._path(name), msgspec.json.encode(mark))
        logger.info("event=child_started name=%s pid=%d", name, process.pid)
        return Child(mark, process, None)

    def adopt(self, name: str, argv: Sequence[str]) -> Child | None:
        """The live child of that name with that command line; another one of the name is ended."""
        child = self._find(name)
        if child is None:
            return None
        if child.mark.command != _digest(argv):
            logger.info("event=child_differs name=%s pid=%d", name, child.pid)
            child.stop(patience=5)
            return None
        logger.info("event=child_adopted name=%s pid=%d", name, child.pid)
        return child

    def forget(self, name: str) -> None:
        """The journal no longer names it."""
        self._path(name).unlink(missing_ok=True)

    def end_strays(self, known: Sequence[str]) -> list[int]:
        """Children of this book that are not among `known` names ended; their pids."""
        kept = {child.pid for name in known if (child := self._find(name)) is not None}
        ended = []
        for process in psutil.process_iter():
            if process.pid not in kept and _tag(process) == str(self._folder):
                mark = Mark("stray", process.pid, process.create_time(), "")
                Child(mark, process, None).stop(patience=5)
                ended.append(process.pid)
        if ended:
            logger.warning("event=strays_ended pids=%s", ended)
        return ended

    def tail(self, name: str, size: int = 2000) -> str:
        """The end of what the child printed."""
        path = self._logs / f"{name}.log"
        return path.read_bytes()[-size:].decode(errors="replace") if path.exists() else ""

    def _find(self, name: str) -> Child | None:
        try:
            mark = msgspec.json.decode(self._path(name).read_bytes(), type=Mark)
            process = psutil.Process(mark.pid)
            same = abs(process.create_time() - mark.started) < START_TOLERANCE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        child = Child(mark, process, None)
        return child if same and child.alive() else None

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _digest(argv: Sequence[str]) -> str:
    return digest_of("\0".join(argv).encode())


def _tag(process: psutil.Process) -> str | None:
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(TAG)
    except (psutil.Error, OSError):
        return None
