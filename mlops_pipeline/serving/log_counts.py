"""Counts of one process's request log, kept where SIGKILL cannot reach them.

    <folder>/<pid>-<n>.counts       five numbers of eight bytes, mapped into memory

A count is an addition in mapped memory: the kernel holds the page when the process is gone. While
the process lives it holds a lock on the file, so that anybody can tell whether what is missing is
still to be written or lost.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CELLS = ("appended", "sampled_out", "dropped", "unwritable", "written")
_SIZE = 8 * len(CELLS)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one process did with its records; `lost` is known once it ended."""

    name: str
    alive: bool
    appended: int  # answers that should leave a record
    sampled_out: int  # of these, left out by the sampling rate
    dropped: int  # the queue was full, or there was no way to encode it
    unwritable: int  # the disk refused
    written: int

    @property
    def pending(self) -> int:
        """Neither written nor counted as left out: waiting while alive, lost afterwards."""
        out = self.sampled_out + self.dropped + self.unwritable + self.written
        return max(0, self.appended - out)

    @property
    def lost(self) -> int:
        """Records that died with their process; may count a last batch that did reach the disk."""
        return 0 if self.alive else self.pending


class Counts:
    """The counts of this process. Each cell has one writing thread."""

    def __init__(self, cells: "memoryview[int] | None" = None) -> None:
        self._file: BinaryIO | None = None
        self._map: mmap.mmap | None = None
        self.cells = memoryview(bytearray(_SIZE)).cast("Q") if cells is None else cells

    @classmethod
    def open(cls, folder: Path) -> "Counts":
        """Counts in a new file of the folder, locked while this process lives."""
        number = 0
        while True:
            try:
                path = folder / f"{os.getpid()}-{number}.counts"
                file = open(path, "x+b", buffering=0)  # noqa: SIM115  held until close
                break
            except FileExistsError:  # an earlier process had the same pid
                number += 1
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(bytes(_SIZE))
        held = mmap.mmap(file.fileno(), _SIZE)
        counts = cls(memoryview(held).cast("Q"))
        counts._file, counts._map = file, held
        return counts

    def close(self) -> None:
        """The numbers stay readable here and on disk; the lock is given back."""
        if self._map is not None and self._file is not None:
            kept = memoryview(bytearray(self.cells.tobytes())).cast("Q")
            self.cells.release()
            self._map.flush()
            self._map.close()
            self._file.close()
            self._map = self._file = None
            self.cells = kept


def read_counts(folder: Path) -> Iterator[Counted]:
    """What every process that ever logged below the folder did."""
    for path in sorted(folder.rglob("*.counts")):
        with path.open("rb") as file:
            alive = not unlocked(file)
            content = file.read(_SIZE)
        if len(content) == _SIZE:
            yield Counted(path.stem, alive, *memoryview(content).cast("Q").tolist())


def unlocked(file: BinaryIO) -> bool:
    """Whether nobody holds the file: its process has ended. This process then holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
