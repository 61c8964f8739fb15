"""Records in a folder, numbered from 1, each written once: an append loses nothing to another."""

from pathlib import Path
from typing import TypeVar

import msgspec

from mlops_pipeline.data.objects import write_once
from mlops_pipeline.errors import SnapshotCorrupt

T = TypeVar("T")


def last_number(folder: Path) -> int:
    """The number of the newest record; 0 where there is none."""
    return max((int(path.stem) for path in folder.glob("[0-9]*.json")), default=0)


def append_record(folder: Path, number: int, record: object) -> bool:
    """The record has that number, unless another writer was first: then False, and untouched."""
    return write_once(folder / f"{number:08d}.json", msgspec.json.encode(record))


def read_record(folder: Path, number: int, kind: type[T]) -> T:
    """The record of that number.

    Raises:
        SnapshotCorrupt: the file is gone or holds something else.
    """
    path = folder / f"{number:08d}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise SnapshotCorrupt(f"{path} is gone; store the partition again") from None
    except msgspec.DecodeError as error:
        raise SnapshotCorrupt(
            f"{path} is no pointer: {error}; store the partition again"
        ) from error
