"""The request log: one JSON line for each prediction, written aside from the answer.

The server appends to a bounded queue and never waits; a thread encodes, writes at least twenty
times a second and syncs once a second. Under back-pressure records are dropped and counted.
SIGKILL loses what was not yet written (a twentieth of a second); a power cut at most the last
second.

    <folder>/<arm>-<pid>-<n>.jsonl      append-only; a file that grows too long is followed by n + 1
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mlops_pipeline.errors import ServingError

logger = logging.getLogger(__name__)

WRITE_EVERY = 0.05  # seconds
# After a batch, sooner: encoding holds the interpreter, and a short batch holds up few answers.
WRITE_AGAIN = 0.005
SYNC_EVERY = 1.0
QUEUE_LIMIT = 20_000  # records; some 20 MB at the worst
BATCH = 1_000  # records in one write
FILE_LIMIT = 64 * 1024 * 1024  # bytes


class Arm(StrEnum):
    """Whether the answer reached a user, or the request was the mirror's copy."""

    LIVE = "live"
    SHADOW = "shadow"


class Outcome(StrEnum):
    """How a request ended: answered, refused by the contract, or failed by our doing."""

    OK = "ok"
    INVALID = "invalid"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as it was answered. Personal columns are left out of `row` and `features`."""

    id: str
    at: float  # unix seconds at arrival
    model: str
    version: str
    arm: Arm
    unit: str  # what a rollout randomises over; the id where the client named none
    status: int  # of the HTTP answer
    outcome: Outcome
    score: float | None
    latency_ms: float  # inside the server, from the whole request to the answer's bytes
    event_time: str | None  # ISO, local to the entity
    row: dict[str, Any]  # the request's columns; times as ISO text
    features: dict[str, float | None]  # what the model saw; None is missing


class RequestLog:
    """Records of one process, on disk soon after they were appended."""

    def __init__(
        self, folder: Path, *, queue_limit: int = QUEUE_LIMIT, file_limit: int = FILE_LIMIT
    ) -> None:
        self.written = 0
        self.dropped = 0
        self._folder = folder
        self._limit = queue_limit
        self._file_limit = file_limit
        self._queue: deque[Callable[[], RequestRecord]] = deque()
        self._files: dict[Arm, _File] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)

    def start(self) -> None:
        """The writer runs.

        Raises:
            ServingError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServingError(f"request log {self._folder}: {error}; name a folder") from error
        if not os.access(self._folder, os.W_OK):
            raise ServingError(f"request log {self._folder} is not writable")
        self._thread.start()

    def append(self, record: Callable[[], RequestRecord]) -> None:
        """The record that `record()` gives will be written, or is counted as dropped."""
        if len(self._queue) >= self._limit:
            self.dropped += 1
        else:
            self._queue.append(record)

    @property
    def waiting(self) -> int:
        """Records not yet written."""
        return len(self._queue)

    def close(self) -> None:
        """Everything appended is on disk, synced; the writer has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _run(self) -> None:
        synced = time.monotonic()
        pause = WRITE_EVERY
        while not self._stop.wait(pause):
            pause = WRITE_AGAIN if self._write() else WRITE_EVERY
            if time.monotonic() - synced >= SYNC_EVERY:
                for file in self._files.values():
                    file.sync()
                synced = time.monotonic()
        while self._write():
            pass

    def _write(self) -> int:
        """The oldest waiting records are in their files; how many were taken off the queue."""
        encoder = msgspec.json.Encoder()
        batches: dict[Arm, list[bytes]] = {}
        taken = min(len(self._queue), BATCH)
        for _ in range(taken):
            try:
                record = self._queue.popleft()()
                batches.setdefault(record.arm, []).append(encoder.encode(record))
            except Exception as error:  # one bad record must not silence the log
                self.dropped += 1
                logger.exception("request_log=unencodable error=%s", error)
        for arm, lines in batches.items():
            try:
                self._file(arm).write(b"\n".join(lines) + b"\n")
                self.written += len(lines)
            except OSError as error:
                self.dropped += len(lines)
                logger.error("request_log=failed folder=%s error=%s", self._folder, error)
                self._abandon(arm)
        return taken

    def _file(self, arm: Arm) -> "_File":
        file = self._files.get(arm)
        if file is not None and file.size >= self._file_limit:
            file.close()
            file = None
        if file is None:
            file = self._files[arm] = _File.create(self._folder, arm)
        return file

    def _abandon(self, arm: Arm) -> None:
        """A file with a torn line gets no further lines."""
        file = self._files.pop(arm, None)
        if file is not None:
            file.close()


class _File:
    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._dirty = False
        self.size = 0

    @classmethod
    def create(cls, folder: Path, arm: Arm) -> "_File":
        number = 0
        while True:
            try:
                path = folder / f"{arm}-{os.getpid()}-{number}.jsonl"
                return cls(open(path, "xb", buffering=0))
            except FileExistsError:  # an earlier process had the same pid
                number += 1

    def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self._handle.write(view) :]
        self.size += len(content)
        self._dirty = True

    def sync(self) -> None:
        if self._dirty:
            try:
                os.fsync(self._handle.fileno())
            except OSError as error:
                logger.error("request_log=unsynced error=%s", error)
            self._dirty = False

    def close(self) -> None:
        self.sync()
        self._handle.close()


def read_records(
    folder: Path, since: float | None = None, *, arm: Arm | None = None
) -> Iterator[RequestRecord]:
    """Every record below `folder` that arrived at `since` (unix seconds) or later.

    File by file, in no order across files. A last line that is still being written, or was torn
    when its process was killed, is left out.

    Raises:
        ServingError: a whole line is no record; the message names file and line.
    """
    decode = msgspec.json.Decoder(RequestRecord).decode
    for path in sorted(folder.rglob(f"{arm or '*'}-*.jsonl")):
        if since is not None and path.stat().st_mtime < since:
            continue
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = decode(line)
                except msgspec.DecodeError as error:
                    raise ServingError(f"{path}:{number}: no request record: {error}") from error
                if since is None or record.at >= since:
                    yield record
