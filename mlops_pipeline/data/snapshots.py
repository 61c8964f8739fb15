"""Snapshots: the rows of a window, fixed for ever under the digest of their content.

A part is one partition's Parquet object. Each time a partition gets other rows, a numbered pointer
is added, never overwritten: `<root>/<model>/<partition>/00000001.json`. A snapshot is a manifest
object that names the newest parts of its window, with no time stamp: equal data, equal digest.
Which were committed, in which order, stands in a log beside: `<root>/.snapshots/<model>/`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pandas as pd

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data import parts as codec
from mlops_pipeline.data import sources
from mlops_pipeline.data.numbered import append_record, last_number, read_record
from mlops_pipeline.data.objects import ObjectStore, canonical_json
from mlops_pipeline.data.origin import code_digest, shape_digest
from mlops_pipeline.data.sampling import stratified
from mlops_pipeline.data.windows import Window, month_start
from mlops_pipeline.errors import SnapshotCorrupt, SourceError

FORMAT = 2  # since 2, `contract` is the digest of what shapes rows, and a sample says so
LOG = ".snapshots"


@dataclass(frozen=True, slots=True)
class PartRef:
    """One partition's rows as they stand."""

    key: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """What travels in place of the rows; `digest` is the manifest's."""

    model: str
    digest: str
    rows: int
    start: datetime
    end: datetime
    share: float = 1.0  # below 1: a sample, for fast runs

    @property
    def window(self) -> Window:
        """The span of event time that the snapshot holds whole."""
        return Window(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a snapshot says of itself."""

    format: int
    model: str
    source: str  # the callable, location or table
    contract: str  # digest of the contract's words that shape rows (`origin.shape_digest`)
    code: str  # digest of the code that reads and writes parts
    event_time: str
    start: datetime
    end: datetime
    parts: tuple[PartRef, ...]
    share: float = 1.0

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit: the snapshot, the one committed before it, and the whole contract's digest."""

    digest: str
    parent: str | None
    contract: str


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Parts and manifests in an object store, pointers below `root`; any number of writers."""

    objects: ObjectStore
    root: Path

    def store_part(self, contract: ModelContract, key: str, frame: pd.DataFrame) -> PartRef:
        """The partition holds these rows from now on; what it held before stays readable.

        Raises:
            SourceError: the frame does not conform, or has rows of another partition.
        """
        rows = sources.conform(contract, frame)
        sources.require_inside(contract, rows, Window.of_month(key))
        part = PartRef(key, self.objects.put(codec.encode_part(contract, rows)), len(rows))
        folder = self.root / contract.name / key
        while True:
            number = last_number(folder)
            if number and read_record(folder, number, PartRef) == part:
                return part
            if append_record(folder, number + 1, part):
                return part

    def part(self, model: str, key: str) -> PartRef | None:
        """The partition as it stands; None where it was never stored."""
        folder = self.root / model / key
        number = last_number(folder)
        return read_record(folder, number, PartRef) if number else None

    def parts(self, model: str) -> dict[str, PartRef]:
        """Every stored partition as it stands, in the order of time."""
        folders = sorted(path for path in (self.root / model).glob("*") if path.is_dir())
        found = (self.part(model, folder.name) for folder in folders)
        return {part.key: part for part in found if part is not None}

    def history(self, model: str, key: str) -> tuple[PartRef, ...]:
        """Everything that the partition ever held, oldest first."""
        folder = self.root / model / key
        return tuple(read_record(folder, n, PartRef) for n in range(1, last_number(folder) + 1))

    def log(self, model: str) -> tuple[LogEntry, ...]:
        """Every snapshot that was committed, oldest first, each once."""
        folder = self.root / LOG / model
        return tuple(read_record(folder, n, LogEntry) for n in range(1, last_number(folder) + 1))

    def window_until(self, contract: ModelContract, as_of: str = "") -> Window:
        """The whole months before `as_of` (YYYY-MM-DD) that training and its history need.

        Without `as_of`, up to the end of the newest stored month.

        Raises:
            SourceError: `as_of` is no day, or nothing is stored yet.
        """
        if as_of:
            try:
                end = month_start(datetime.fromisoformat(as_of))
            except ValueError:
                raise SourceError(f"as_of={as_of!r} is no day; write it as 2013-06-01") from None
        else:
            stored = self.parts(contract.name)
            if not stored:
                raise SourceError(self._how_to_fill(contract, "no partition is stored"))
            end = Window.of_month(max(stored)).end
        reach = max((feature.days for feature in contract.history), default=0)
        back = timedelta(days=reach + contract.target.delay_days)
        first = month_start(contract.splits.train_from - back)
        return Window(max(first, month_start(contract.source.first)), end)

    def commit(self, contract: ModelContract, window: Window, *, share: float = 1.0) -> SnapshotRef:
        """The window's rows as they stand are one snapshot, verified, and stand in the log.

        With a `share` below 1 it holds a stratified sample of them, and says so for ever.

        Raises:
            SourceError: the window is not of whole months, a partition is missing or was stored
                with other columns; the message names them and the job to run.
            SnapshotCorrupt, SnapshotMissing: a part's bytes changed or are gone.
        """
        keys = window.months()
        if not window.is_whole_months or not keys:
            raise SourceError(f"a snapshot holds whole months, not {window}")
        found = {key: self.part(contract.name, key) for key in keys}
        missing = [key for key, part in found.items() if part is None]
        if missing:
            what = f"no rows are stored for {', '.join(missing)}"
            raise SourceError(self._how_to_fill(contract, what))
        parts = tuple(part for part in found.values() if part is not None)
        for part in parts:
            self._require_columns(contract, part)
        if share < 1:
            parts = tuple(self._sampled(contract, part, share) for part in parts)
        manifest = Manifest(
            format=FORMAT,
            model=contract.name,
            source=contract.source.reference,
            contract=shape_digest(contract),
            code=code_digest(contract),
            event_time=contract.event_time,
            start=window.start,
            end=window.end,
            parts=parts,
            share=share,
        )
        digest = self.objects.put(canonical_json(msgspec.to_builtins(manifest)))
        self._note(contract, digest)
        return _reference(manifest, digest)

    def manifest(self, digest: str) -> Manifest:
        """What the snapshot of that digest is made of.

        Raises:
            SnapshotMissing, SnapshotCorrupt: there is none, or it is no manifest.
        """
        content = self.objects.get(digest)
        try:
            return msgspec.json.decode(content, type=Manifest)
        except msgspec.DecodeError as error:
            raise SnapshotCorrupt(f"object {digest} is no snapshot manifest: {error}") from error

    def find(self, digest: str) -> SnapshotRef:
        """The reference of the snapshot of that digest."""
        return _reference(self.manifest(digest), digest)

    def read(self, snapshot: SnapshotRef | str, window: Window | None = None) -> pd.DataFrame:
        """The snapshot's rows, every byte verified; with `window`, only those inside it.

        Raises:
            SourceError: the snapshot does not cover the window.
            SnapshotMissing, SnapshotCorrupt: bytes are gone or changed.
        """
        digest = snapshot if isinstance(snapshot, str) else snapshot.digest
        manifest = self.manifest(digest)
        held = Window(manifest.start, manifest.end)
        if window is not None and not held.covers(window):
            raise SourceError(f"snapshot {digest[:12]}… holds {held}, not {window}")
        wanted = held if window is None else window
        frame = codec.decode_parts(self._contents(manifest, wanted))
        if window is not None:
            frame = frame[window.mask(frame[manifest.event_time])].reset_index(drop=True)
        return frame

    def _contents(self, manifest: Manifest, window: Window) -> Iterator[bytes]:
        keys = window.months()
        for part in manifest.parts:
            if part.key in keys:
                yield self.objects.get(part.digest)

    def _sampled(self, contract: ModelContract, part: PartRef, share: float) -> PartRef:
        rows = stratified(contract, codec.decode_parts([self.objects.get(part.digest)]), share)
        return PartRef(part.key, self.objects.put(codec.encode_part(contract, rows)), len(rows))

    def _note(self, contract: ModelContract, digest: str) -> None:
        folder = self.root / LOG / contract.name
        while True:
            log = self.log(contract.name)
            if any(entry.digest == digest for entry in log):
                return
            parent = log[-1].digest if log else None
            entry = LogEntry(digest, parent, contract_digest(contract))
            if append_record(folder, len(log) + 1, entry):
                return

    def _require_columns(self, contract: ModelContract, part: PartRef) -> None:
        content = self.objects.get(part.digest)
        if codec.part_schema(content).equals(codec.schema_of(contract)):
            return
        wanted = {field.name: str(field.type) for field in codec.schema_of(contract)}
        changes = codec.column_changes(codec.columns_of(content), wanted)
        what = f"{part.key} was stored with other columns ({', '.join(changes) or 'reordered'})"
        raise SourceError(self._how_to_fill(contract, what))

    def _how_to_fill(self, contract: ModelContract, what: str) -> str:
        return (
            f"{contract.name}: {what}; materialise the asset "
            f"{contract.name}/{contract.source.name} for these partitions"
        )


def _reference(manifest: Manifest, digest: str) -> SnapshotRef:
    return SnapshotRef(
        manifest.model, digest, manifest.rows, manifest.start, manifest.end, manifest.share
    )
