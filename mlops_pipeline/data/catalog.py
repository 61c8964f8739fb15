"""What is stored, told to a person: snapshots, how two of them differ, and whether all is whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mlops_pipeline.data import parts as codec
from mlops_pipeline.data.snapshots import LOG, Manifest, Snapshots
from mlops_pipeline.errors import DataError, SnapshotMissing

NAME = re.compile(r"[a-z][a-z0-9_]*")
SHORTEST = 6  # digits of a digest that a person may write in place of all


@dataclass(frozen=True, slots=True)
class Listed:
    """One snapshot in the order of commits."""

    model: str
    digest: str
    parent: str | None
    contract: str
    rows: int
    start: datetime
    end: datetime
    months: int
    share: float


@dataclass(frozen=True, slots=True)
class PartChange:
    """One month in which two snapshots differ; 0 rows where one of them has none."""

    key: str
    change: str  # added | removed | replaced
    rows_before: int
    rows_after: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How `after` differs from `before`."""

    before: str
    after: str
    parts: tuple[PartChange, ...]
    columns: tuple[str, ...]
    causes: tuple[str, ...]  # what made them: source, contract, code, window, share

    @property
    def same_rows(self) -> bool:
        """Whether both hold the very same rows."""
        return not self.parts


@dataclass(frozen=True, slots=True)
class Fault:
    """An object that is not what its name says, or is gone."""

    snapshot: str
    part: str
    what: str


def model_name(text: str) -> str:
    """The text, which can be a model's name: it becomes part of a path.

    Raises:
        DataError: it cannot.
    """
    if not NAME.fullmatch(text):
        raise DataError(f"{text!r} is no model's name: small letters, digits and _")
    return text


def models_of(snapshots: Snapshots) -> tuple[str, ...]:
    """Every model that ever committed a snapshot."""
    return tuple(sorted(p.name for p in (snapshots.root / LOG).glob("*") if p.is_dir()))


def listing(snapshots: Snapshots, model: str) -> tuple[Listed, ...]:
    """The model's snapshots, oldest first; one whose manifest is gone has no rows."""
    listed = []
    for entry in snapshots.log(model):
        try:
            found = snapshots.manifest(entry.digest)
        except SnapshotMissing:  # collected: the log keeps its name
            continue
        listed.append(
            Listed(
                model,
                entry.digest,
                entry.parent,
                entry.contract,
                found.rows,
                found.start,
                found.end,
                len(found.parts),
                found.share,
            )
        )
    return tuple(listed)


def resolve(snapshots: Snapshots, text: str) -> str:
    """The digest of the one committed snapshot that begins with `text`.

    Raises:
        DataError: the text is too short, or names several.
        SnapshotMissing: it names none.
    """
    if len(text) == 64:
        return text
    if len(text) < SHORTEST:
        raise DataError(f"{text!r} is too short: give at least {SHORTEST} digits of the digest")
    every = {e.digest for model in models_of(snapshots) for e in snapshots.log(model)}
    found = sorted(digest for digest in every if digest.startswith(text))
    if not found:
        raise SnapshotMissing(f"no snapshot begins with {text}; see `mlops snapshots list`")
    if len(found) > 1:
        raise DataError(f"{text} may be {' or '.join(digest[:16] for digest in found)}")
    return found[0]


def difference(snapshots: Snapshots, before: str, after: str) -> Difference:
    """How two snapshots differ: months, columns, and what made them."""
    old, new = snapshots.manifest(before), snapshots.manifest(after)
    causes = tuple(
        f"{word}: {getattr(old, word)} -> {getattr(new, word)}"
        for word in ("source", "contract", "code", "start", "end", "share")
        if getattr(old, word) != getattr(new, word)
    )
    return Difference(
        before,
        after,
        tuple(_part_changes(old, new)),
        codec.column_changes(_columns(snapshots, old), _columns(snapshots, new)),
        causes,
    )


def verify(snapshots: Snapshots, digest: str) -> tuple[Fault, ...]:
    """Every object of the snapshot that is gone or altered; nothing is raised but a lost manifest.

    Every byte is read.
    """
    faults = []
    for part in snapshots.manifest(digest).parts:
        try:
            rows = len(codec.decode_parts([snapshots.objects.get(part.digest)]))
        except DataError as error:
            faults.append(Fault(digest, part.key, str(error)))
            continue
        if rows != part.rows:
            what = f"{rows} rows, the manifest says {part.rows}"
            faults.append(Fault(digest, part.key, what))
    return tuple(faults)


def _part_changes(old: Manifest, new: Manifest) -> Iterator[PartChange]:
    before = {part.key: part for part in old.parts}
    after = {part.key: part for part in new.parts}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is None and now is not None:
            yield PartChange(key, "added", 0, now.rows)
        elif now is None and was is not None:
            yield PartChange(key, "removed", was.rows, 0)
        elif was is not None and now is not None and was.digest != now.digest:
            yield PartChange(key, "replaced", was.rows, now.rows)


def _columns(snapshots: Snapshots, manifest: Manifest) -> dict[str, str]:
    if not manifest.parts:
        return {}
    return codec.columns_of(snapshots.objects.get(manifest.parts[-1].digest))
