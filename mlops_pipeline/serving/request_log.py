"""The request log: one record for each prediction, written aside from the answer.

The server appends to a bounded queue and never waits; a thread writes twenty times a second and
syncs once a second. Under back-pressure records are dropped and counted.
SIGKILL loses what was not yet written (a twentieth of a second), and the counts that outlive the
process say how many; a power cut loses at most the last second.

    <folder>/<arm>-<pid>-<n>.jsonl      the append-only spool; followed by n + 1 when long or old
    <folder>/<arm>-<pid>-<n>.parquet    what compaction made of it, see `compaction`
    <folder>/<pid>-<n>.counts           see `log_counts`

With a rate below one, good answers are sampled by a hash of their id: both arms, and every replay,
keep the same ones. Each record says the rate at which it was kept; refusals and failures are always
kept. An estimate weights each record by 1 / rate.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_counts import Counts
from mlops_pipeline.serving.log_spool import PARQUET, SPOOL, SpoolFile

logger = logging.getLogger(__name__)

WRITE_EVERY = 0.05  # seconds
SYNC_EVERY = 1.0
QUEUE_LIMIT = 20_000  # records; some 20 MB at the worst
BATCH = 1_000  # records in one write
FILE_LIMIT = 32 * 1024 * 1024  # bytes
FILE_SECONDS = 3_600.0  # after which the next file is begun
APPENDED, SAMPLED_OUT, DROPPED, UNWRITABLE, WRITTEN = range(5)


class Arm(StrEnum):
    """Whether the answer reached a user, or the request was the mirror's copy."""

    LIVE = "live"
    SHADOW = "shadow"


class Outcome(StrEnum):
    """How a request ended: answered, refused by the contract, or failed by our doing."""

    OK = "ok"
    INVALID = "invalid"
    ERROR = "error"


class RequestRecord(msgspec.Struct, frozen=True, gc=False):
    """One request as it was answered. Personal columns are left out of `row` and `features`.

    A struct, because one is made for each answer: a frozen dataclass takes ten times as long.
    """

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
    digest: str | None = None  # of the request's body
    rate: float = 1.0  # the share of such records that are kept
    trace: str | None = None  # W3C trace id, which the router's log and its answer bear, too
    # Probabilities of the classes, where these are asked for; not in the line where they are not.
    classes: Sequence[float] | msgspec.UnsetType = msgspec.UNSET


def kept_at(rate: float, id: str) -> bool:
    """Whether a good answer of that id leaves a record at that rate: what a lower rate keeps, every
    higher one keeps, too."""
    return rate >= 1 or xxhash.xxh64_intdigest(f"log|{id}".encode()) < int(rate * 2**64)


class RequestLog:
    """Records of one process, on disk soon after they were appended."""

    def __init__(
        self,
        folder: Path,
        *,
        queue_limit: int = QUEUE_LIMIT,
        file_limit: int = FILE_LIMIT,
        file_seconds: float = FILE_SECONDS,
        rate: float = 1.0,
        rotated: Callable[[], None] | None = None,
    ) -> None:
        """`rate` is the share of good answers that leave a record; `rotated` hears that a file
        was ended, in the writer's thread."""
        if not 0 < rate <= 1:
            raise ServingError(f"log rate {rate}: a share above 0, at most 1")
        self.rate = rate
        self._counts = Counts()
        self._folder = folder
        self._limit = queue_limit
        self._file_limit = file_limit
        self._file_seconds = file_seconds
        self._rotated = rotated
        self._queue: deque[tuple[Arm, bytes]] = deque()
        self._encode = msgspec.json.Encoder().encode
        self._files: dict[Arm, SpoolFile] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)

    @property
    def written(self) -> int:
        """Records in files."""
        return self._counts.cells[WRITTEN]

    @property
    def dropped(self) -> int:
        """Records that the full queue or the disk refused."""
        return self._counts.cells[DROPPED] + self._counts.cells[UNWRITABLE]

    @property
    def sampled_out(self) -> int:
        """Good answers that the rate left without a record."""
        return self._counts.cells[SAMPLED_OUT]

    @property
    def waiting(self) -> int:
        """Records not yet written."""
        return len(self._queue)

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
        earlier = self._counts.cells.tolist()
        self._counts = Counts.open(self._folder)
        for cell, count in enumerate(earlier):
            self._counts.cells[cell] = count
        self._thread.start()

    def append(self, record: Callable[[], RequestRecord]) -> None:
        """The record that `record()` gives will be written, or is counted as dropped.

        Encoded here and not by the writer: objects that wait are cold when they are looked at, and
        a thread that encodes takes the interpreter from the event loop. (Measured: the log took
        18 µs of a request with an encoding writer, while making and encoding a record is 6.)
        """
        cells = self._counts.cells
        cells[APPENDED] += 1
        if len(self._queue) >= self._limit:
            cells[DROPPED] += 1
            return
        try:
            made = record()
            self._queue.append((made.arm, self._encode(made)))
        except Exception as error:  # one bad record must neither fail its answer nor end the log
            cells[DROPPED] += 1
            logger.exception("request_log=unencodable error=%s", error)

    def leave_out(self) -> None:
        """An answer that the rate leaves without a record is counted."""
        cells = self._counts.cells
        cells[APPENDED] += 1
        cells[SAMPLED_OUT] += 1

    def close(self) -> None:
        """Everything appended is on disk, synced; the writer has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._counts.close()

    def _run(self) -> None:
        synced = time.monotonic()
        while not self._stop.wait(WRITE_EVERY):
            while self._write() == BATCH:
                pass
            if time.monotonic() - synced >= SYNC_EVERY:
                for file in self._files.values():
                    file.sync()
                self._end_old_files()
                synced = time.monotonic()
        while self._write():
            pass

    def _write(self) -> int:
        """The oldest waiting records are in their files; how many were taken off the queue."""
        batches: dict[Arm, list[bytes]] = {}
        taken = min(len(self._queue), BATCH)
        cells = self._counts.cells
        for _ in range(taken):
            arm, line = self._queue.popleft()
            batches.setdefault(arm, []).append(line)
        for arm, lines in batches.items():
            try:
                self._file(arm).write(b"\n".join(lines) + b"\n")
                cells[WRITTEN] += len(lines)
            except OSError as error:
                cells[UNWRITABLE] += len(lines)
                logger.error("request_log=failed folder=%s error=%s", self._folder, error)
                self._end(arm)
        return taken

    def _file(self, arm: Arm) -> SpoolFile:
        file = self._files.get(arm)
        if file is not None and file.size >= self._file_limit:
            self._end(arm)
            file = None
        if file is None:
            file = self._files[arm] = SpoolFile.create(self._folder, arm)
        return file

    def _end_old_files(self) -> None:
        now = time.monotonic()
        for arm in [a for a, f in self._files.items() if now - f.since >= self._file_seconds]:
            self._end(arm)

    def _end(self, arm: Arm) -> None:
        """The file gets no further lines: it is long, old, or has a torn one."""
        file = self._files.pop(arm, None)
        if file is not None:
            file.close()
            if self._rotated is not None:
                self._rotated()


def read_records(
    folder: Path, since: float | None = None, *, arm: Arm | None = None
) -> Iterator[RequestRecord]:
    """Every record below `folder` that arrived at `since` (unix seconds) or later.

    File by file, in no order across files. A last line that is still being written, or was torn
    when its process was killed, is left out.

    Raises:
        ServingError: a whole line is no record; the message names file and line.
    """
    for path in log_files(folder, arm):
        if since is not None and not _may_hold(path, since):
            continue
        for record in _records(path, since):
            if since is None or record.at >= since:
                yield record


def log_files(folder: Path, arm: Arm | None = None) -> list[Path]:
    """The files that together hold every record once: Parquet goes before what it was made of."""
    found = {
        path.with_suffix(""): path
        for suffix in (SPOOL, PARQUET)
        for path in folder.rglob(f"{arm or '*'}-*{suffix}")
    }
    return [found[stem] for stem in sorted(found)]


def _records(path: Path, since: float | None) -> Iterator[RequestRecord]:
    if path.suffix == SPOOL:
        try:
            yield from read_spool(path)
        except FileNotFoundError:  # it was compacted since it was listed
            path = path.with_suffix(PARQUET)
        else:
            return
    from mlops_pipeline.serving.log_parquet import read_parquet  # pyarrow: never in a server

    yield from read_parquet(path, since)


def read_spool(path: Path) -> Iterator[RequestRecord]:
    """Every whole record of one spool file.

    Raises:
        ServingError: a whole line is no record.
        FileNotFoundError: before the first record, where the file is gone.
    """
    decode = msgspec.json.Decoder(RequestRecord).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                raise ServingError(f"{path}:{number}: no request record: {error}") from error


def _may_hold(path: Path, since: float) -> bool:
    try:
        return path.stat().st_mtime >= since
    except FileNotFoundError:
        return True
