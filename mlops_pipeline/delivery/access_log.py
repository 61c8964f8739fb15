"""The router's access log: one line for each answer a user got, read piece by piece.

A position names the file by inode, so that reading goes on after the file was moved away by
rotation, and starts anew after it was truncated.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

logger = logging.getLogger(__name__)
FILE_LIMIT = 64 * 1024 * 1024  # bytes
KEPT_FILES = 8


class AccessLine(msgspec.Struct, frozen=True):
    """One answer. Mirrored copies never appear: the router logs only what a client asked."""

    at: str  # unix seconds of arrival
    id: str | None
    method: str | None
    path: str | None
    code: int
    flags: str | None
    cluster: str | None
    attempts: int | None
    ms: float
    rollout: str | None
    weight: float | None
    unit_header: str | None = msgspec.field(name="unit", default=None)
    trace: str | None = None

    @property
    def unit(self) -> str:
        """What was randomised: the client's unit, else the request."""
        return self.unit_header or self.id or ""

    @property
    def prediction(self) -> bool:
        """Whether a model was asked; probes and health questions are no evidence."""
        return self.method == "POST" and self.cluster is not None

    @property
    def failed(self) -> bool:
        """Whether the user got no answer by our doing."""
        return self.prediction and (self.code >= 500 or (self.code == 0 and not self.left))

    @property
    def refused(self) -> bool:
        """Whether the server said that the request is wrong."""
        return self.prediction and 400 <= self.code < 500

    @property
    def answered(self) -> bool:
        """Whether the user got an answer."""
        return self.prediction and 200 <= self.code < 400

    @property
    def left(self) -> bool:
        """Whether the client hung up first."""
        return "DC" in (self.flags or "").split(",")

    @property
    def retried(self) -> bool:
        """Whether the router tried more than once."""
        return (self.attempts or 0) > 1


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read."""

    inode: int = 0
    offset: int = 0


def access_log_path(home: Path) -> Path:
    """Where the node's router writes it, below the folder of all state."""
    return home / "node" / "access.jsonl"


def end_of(path: Path) -> Position:
    """The position after everything written so far."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Position()
    return Position(found.st_ino, found.st_size)


class AccessLog:
    """Reads the log at `path` from a position on; each call gives what is new."""

    def __init__(self, path: Path, position: Position | None = None) -> None:
        self.path = path
        self.position = position or Position()

    def read(self) -> Iterator[AccessLine]:
        """Whole lines since the last call, oldest first.

        What is no access line is left out and said in our log: a full disk tears lines, and one
        torn line must not blind reflex and judge for ever.
        """
        for path in self._files():
            inode = path.stat().st_ino
            same = inode == self.position.inode
            offset = self.position.offset if same else 0
            if not _begins_a_line(path, offset):
                offset = 0  # truncated meanwhile
            yield from self._lines(path, inode, offset)

    def _files(self) -> list[Path]:
        """Files not yet read to their end, oldest first."""
        found = [path for path in [*rotated(self.path), self.path] if path.exists()]
        for index, path in enumerate(found):
            if path.stat().st_ino == self.position.inode:
                return found[index:]
        return found if self.position.inode == 0 else found[-1:]

    def _lines(self, path: Path, inode: int, offset: int) -> Iterator[AccessLine]:
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                parsed = _parsed(line, path, offset)
                offset += len(line)
                self.position = Position(inode, offset)
                if parsed is not None:
                    yield parsed
        self.position = Position(inode, offset)


def tail_of(path: Path, size: int) -> Iterator[AccessLine]:
    """Whole lines among the last `size` bytes of the file; none where there is no file."""
    if not path.exists():
        return
    found = path.stat()
    offset = max(0, found.st_size - size)
    if offset:
        with path.open("rb") as file:
            file.seek(offset)
            offset += len(file.readline())
    yield from AccessLog(path, Position(found.st_ino, offset)).read()


def rotated(path: Path) -> list[Path]:
    """Files that the log was moved to, oldest first."""
    found = (p for p in path.parent.glob(f"{path.name}.*") if p.suffix[1:].isdigit())
    return sorted(found, key=lambda p: int(p.suffix[1:]))


def rotate(path: Path, *, limit: int = FILE_LIMIT) -> bool:
    """A log longer than `limit` was moved aside; the writer must open `path` anew.

    The newest `KEPT_FILES` are kept.
    """
    if not path.exists() or path.stat().st_size < limit:
        return False
    old = rotated(path)
    number = int(old[-1].suffix[1:]) + 1 if old else 1
    os.replace(path, path.with_name(f"{path.name}.{number}"))
    for stale in rotated(path)[:-KEPT_FILES]:
        stale.unlink()
    return True


def _parsed(line: bytes, path: Path, offset: int) -> AccessLine | None:
    try:
        return _decode(line)
    except msgspec.DecodeError as error:
        logger.warning("event=torn_line path=%s byte=%d error=%s", path, offset, error)
        return None


def _begins_a_line(path: Path, offset: int) -> bool:
    if offset == 0:
        return True
    with path.open("rb") as file:
        file.seek(offset - 1)
        return file.read(1) == b"\n"


_decode = msgspec.json.Decoder(AccessLine).decode
