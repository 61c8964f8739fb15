"""Feature snapshots: the history look-ups of one day, published for servers.

    <folder>/<definition digest>/<content digest>.json     one snapshot, never changed
    <folder>/<definition digest>/newest                    the content digest of the newest one

No pandas here: a server imports this module.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from mlops_pipeline.data.objects import canonical_json, digest_of, write_durably
from mlops_pipeline.errors import FeatureError

POINTER = "newest"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeatureSnapshot:
    """What a row of the day `as_of` looks up: label rates over the days before it.

    `tables[feature][key]` is the rate of a key that was seen; `defaults[feature]` the overall rate,
    for every other key. A feature without any labelled row in its days has no default: missing.
    """

    model: str
    definition: str
    as_of: date
    tables: dict[str, dict[str, float]]
    defaults: dict[str, float]


def publish(folder: Path, snapshot: FeatureSnapshot) -> Path:
    """The snapshot is stored under its content, and is the newest unless a later day's is.

    A second snapshot of the same day replaces the first: it knows more labels. A newest snapshot
    whose file is gone or was altered is no newest one: publishing mends what it damaged.
    """
    content = canonical_json(msgspec.to_builtins(snapshot))
    place = folder / snapshot.definition
    path = place / f"{digest_of(content)}.json"
    if not path.exists() or path.read_bytes() != content:
        write_durably(path, content)
    with _locked(place):
        shown = _readable_newest(folder, snapshot.definition)
        if shown is None or shown.as_of <= snapshot.as_of:
            write_durably(place / POINTER, path.stem.encode())
    return path


def _readable_newest(folder: Path, definition: str) -> FeatureSnapshot | None:
    try:
        return newest(folder, definition)
    except FeatureError as error:
        log.warning("definition=%s newest snapshot is damaged: %s", definition[:12], error)
        return None


def newest_digest(folder: Path, definition: str) -> str | None:
    """The content digest of the newest snapshot: cheap enough to ask before every reload."""
    try:
        return (folder / definition / POINTER).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def newest(folder: Path, definition: str) -> FeatureSnapshot | None:
    """The newest snapshot of that definition, verified; None where none was published.

    Raises:
        FeatureError: the file is gone, was altered, or belongs to another definition.
    """
    digest = newest_digest(folder, definition)
    return None if digest is None else read_snapshot(folder, definition, digest)


def read_snapshot(folder: Path, definition: str, digest: str) -> FeatureSnapshot:
    """The snapshot of that content digest, verified.

    Raises:
        FeatureError: the file is gone, was altered, or belongs to another definition.
    """
    path = folder / definition / f"{digest}.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FeatureError(f"{path} is gone; publish the feature snapshot again") from None
    if digest_of(content) != digest:
        raise FeatureError(f"{path} is not what its name says; publish the snapshot again")
    try:
        snapshot = msgspec.json.decode(content, type=FeatureSnapshot)
    except msgspec.DecodeError as error:
        raise FeatureError(f"{path} is no feature snapshot: {error}") from error
    if snapshot.definition != definition:
        raise FeatureError(
            f"{path} holds features of definition {snapshot.definition[:12]}…, "
            f"not {definition[:12]}…; publish the snapshot of this definition"
        )
    return snapshot


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    handle = os.open(place / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
