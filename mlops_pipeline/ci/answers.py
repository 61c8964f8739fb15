"""The shapes of Dagster's answers; an answer of another shape is an error, not a guess."""

import msgspec
from msgspec import Struct, field


class Wire(Struct, frozen=True, rename="camel"):
    """A GraphQL object; fields that were not asked for are ignored."""


class Tag(Wire, frozen=True):
    """One tag of a run."""

    key: str
    value: str


class Run(Wire, frozen=True):
    """One run, as of now."""

    run_id: str
    job_name: str
    status: str
    root_run_id: str | None = None
    tags: tuple[Tag, ...] = ()

    def tag(self, key: str) -> str | None:
        """The value of that tag, if it is there."""
        return next((tag.value for tag in self.tags if tag.key == key), None)


class Launched(Wire, frozen=True):
    """A launch that worked."""

    run: Run


class Runs(Wire, frozen=True):
    """Runs, the newest first."""

    results: tuple[Run, ...]


class Named(Wire, frozen=True):
    """Something with a name."""

    name: str


class Repository(Wire, frozen=True):
    """A repository and its jobs."""

    name: str
    pipelines: tuple[Named, ...]


class Location(Wire, frozen=True):
    """A code location that loaded, or the message of why it did not."""

    kind: str = field(name="__typename")
    repositories: tuple[Repository, ...] = ()
    message: str = ""


class LocationEntry(Wire, frozen=True):
    """A code location of the workspace."""

    name: str
    load_status: str
    location_or_load_error: Location | None = None


class Workspace(Wire, frozen=True):
    """All code locations."""

    location_entries: tuple[LocationEntry, ...]


class PartitionKeys(Wire, frozen=True):
    """Every partition key of a job; none where it has no partitions."""

    partition_keys: tuple[str, ...]


class Job(Wire, frozen=True):
    """A job, its tags and its partitions."""

    partition_keys_or_error: PartitionKeys
    tags: tuple[Tag, ...] = ()

    @property
    def partition_keys(self) -> tuple[str, ...]:
        """Every partition key, none where it has no partitions."""
        return self.partition_keys_or_error.partition_keys

    def tag(self, key: str) -> str | None:
        """The value of that tag, if it is there."""
        return next((tag.value for tag in self.tags if tag.key == key), None)


class AssetKey(Wire, frozen=True):
    """An asset's key."""

    path: tuple[str, ...]


class Table(Wire, frozen=True):
    """A table, each record as the text of a JSON object."""

    records: tuple[str, ...]


class MetadataEntry(Wire, frozen=True):
    """A labelled piece of metadata; only texts and tables carry a value here."""

    label: str
    text: str | None = None
    table: Table | None = None

    def words(self) -> str:
        """The text, or the table's records; their cells are named, for Dagster sorts them."""
        if self.table is None:
            return self.text or ""
        records = (msgspec.json.decode(r, type=dict[str, object]) for r in self.table.records)
        return "; ".join(", ".join(f"{k}: {v}" for k, v in cells.items()) for cells in records)


class Evaluation(Wire, frozen=True):
    """What an asset check found."""

    check_name: str
    asset_key: AssetKey
    success: bool
    severity: str
    description: str | None = None


class Cause(Wire, frozen=True):
    """The error below an error."""

    message: str


class StepError(Wire, frozen=True):
    """Why a step failed."""

    message: str
    class_name: str | None = None
    cause: Cause | None = None


class Event(Wire, frozen=True):
    """One event of a run; the fields beyond the first four belong to some kinds only."""

    kind: str = field(name="__typename")
    timestamp: str = "0"  # milliseconds since 1970
    step_key: str | None = None
    message: str = ""
    asset_key: AssetKey | None = None
    metadata_entries: tuple[MetadataEntry, ...] = ()
    evaluation: Evaluation | None = None
    error: StepError | None = None


class Events(Wire, frozen=True):
    """A page of events."""

    cursor: str
    has_more: bool
    events: tuple[Event, ...]
