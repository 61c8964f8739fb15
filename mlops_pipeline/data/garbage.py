"""Which objects nothing reaches any more, and their removal.

Reached are: what the ledger names in a version, verdict, rollout, decision, champion or review;
what the newest records of assets and of the node name, for a later run reads them; the rows that
each partition holds now; and everything that a reached JSON object names in turn, so a bundle
reaches its lineage, that its snapshot, and that its parts. A digest is known by its form, so
that a new kind of record keeps what it names without a word here.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from mlops_pipeline.data.catalog import models_of
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.ledger import tables

FORM = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
IGNORED = ("ledger_audit", "ledger_outbox")  # the audit names everything that ever was
GRACE_HOURS = 24.0  # a run may have stored what no record names yet


@dataclass(frozen=True, slots=True)
class Unreached:
    """An object that nothing reaches."""

    digest: str
    size: int
    age_hours: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a collection found; `removed` is false for a dry run."""

    objects: int
    reached: int
    young: int  # unreached, but within the grace
    unreached: tuple[Unreached, ...]
    removed: bool

    @property
    def size(self) -> int:
        """Bytes that the unreached objects take."""
        return sum(found.size for found in self.unreached)


def collect(
    tx: Connection,
    snapshots: Snapshots,
    *,
    grace_hours: float = GRACE_HOURS,
    remove: bool = False,
    newest: int = 1,
    records: Iterable[Path] = (),
) -> Sweep:
    """Every object that nothing reaches, removed only if asked to.

    Kept besides: the `newest` snapshots of each model, and what is younger than the grace.
    `records` are folders whose JSON files name objects too.
    """
    reached = reach(snapshots.objects, roots(tx, snapshots, newest) | _recorded(records))
    unreached, young, count = [], 0, 0
    for digest, path in _every(snapshots.objects):
        count += 1
        if digest in reached:
            continue
        state = path.stat()
        age = (time.time() - state.st_mtime) / 3600
        if age < grace_hours:
            young += 1
            continue
        unreached.append(Unreached(digest, state.st_size, age))
        if remove:
            path.unlink(missing_ok=True)
    return Sweep(count, count - young - len(unreached), young, tuple(unreached), remove)


def roots(tx: Connection, snapshots: Snapshots, newest: int = 1) -> frozenset[str]:
    """Digests that records name: the ledger's, the partitions', the newest snapshots'."""
    found: set[str] = set()
    for table in tables.metadata.sorted_tables:
        if table.name not in IGNORED:
            for row in tx.execute(select(table)):
                found |= _named(" ".join(_text(cell) for cell in row))
    for path in sorted(snapshots.root.glob("[!.]*")):
        found |= {part.digest for part in snapshots.parts(path.name).values()}
    for model in models_of(snapshots):
        found |= {entry.digest for entry in snapshots.log(model)[-newest:]}
    return frozenset(found)


def reach(objects: ObjectStore, start: Iterable[str]) -> frozenset[str]:
    """The named objects that are there, and all that they name."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        digest = waiting.pop()
        if digest in seen or digest not in objects:
            continue
        seen.add(digest)
        content = objects.get(digest)
        if content[:1] in (b"{", b"["):
            waiting.extend(_named(content.decode("utf-8", errors="ignore")) - seen)
    return frozenset(seen)


def _recorded(folders: Iterable[Path]) -> set[str]:
    files = (path for folder in folders for path in folder.rglob("*.json") if path.is_file())
    return {digest for file in files for digest in _named(file.read_text(errors="ignore"))}


def _named(text: str) -> set[str]:
    return set(FORM.findall(text))


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else json.dumps(cell, default=str)


def _every(objects: ObjectStore) -> Iterator[tuple[str, Path]]:
    for path in objects.root.glob("[0-9a-f][0-9a-f]/*"):
        digest = path.parent.name + path.name
        if FORM.fullmatch(digest):
            yield digest, path
