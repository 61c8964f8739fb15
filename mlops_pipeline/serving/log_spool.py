"""The spool: append-only files of whole lines, each locked by the process that writes it."""

import fcntl
import logging
import os
import time
from pathlib import Path
from typing import BinaryIO

logger = logging.getLogger(__name__)
SPOOL = ".jsonl"
PARQUET = ".parquet"


class SpoolFile:
    """One file that is being written."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._dirty = False
        self.size = 0
        self.since = time.monotonic()

    @classmethod
    def create(cls, folder: Path, arm: str) -> "SpoolFile":
        """A new file, of a name that no file and no Parquet file made of one has had."""
        number = 0
        while True:
            path = folder / f"{arm}-{os.getpid()}-{number}{SPOOL}"
            number += 1
            if path.with_suffix(PARQUET).exists():
                continue
            try:
                handle = open(path, "xb", buffering=0)  # noqa: SIM115  held until close
            except FileExistsError:  # an earlier process had the same pid
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            return cls(handle)

    def write(self, content: bytes) -> None:
        """The content is with the kernel: SIGKILL no longer loses it."""
        view = memoryview(content)
        while view:
            view = view[self._handle.write(view) :]
        self.size += len(content)
        self._dirty = True

    def sync(self) -> None:
        """The content is on disk: a power cut no longer loses it."""
        if self._dirty:
            try:
                os.fsync(self._handle.fileno())
            except OSError as error:
                logger.error("request_log=unsynced error=%s", error)
            self._dirty = False

    def close(self) -> None:
        """No further line will come; whoever compacts may take the file."""
        self.sync()
        self._handle.close()
