"""What a look at drift found, as records: one JSON text, readable by people and by sensors."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

from mlops_pipeline.errors import MonitoringError

Kind = Literal["number", "category"]


class DriftOutcome(StrEnum):
    """What a window says; too few rows say nothing, not that all is well."""

    STEADY = "steady"
    HARMLESS = "harmless"  # columns drifted that the model hardly reads
    DRIFTED = "drifted"
    OUTAGE = "outage"  # values or requests stay away: to be mended, never to be learnt
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One column: the statistic, what it is held against, and why it counts as drifted."""

    column: str
    kind: Kind
    method: str
    value: float | None  # None: one side has no value at all
    threshold: float  # as the contract says
    limit: float | None  # the threshold with the noise of samples of these sizes
    drifted: bool
    reasons: tuple[str, ...]  # why it drifted; empty where it did not
    effect: str  # the change in the column's own terms
    n_reference: int  # values, missing ones apart
    n_current: int
    null_reference: float  # share of rows
    null_current: float
    unseen: tuple[str, ...]  # categories that the reference never had
    unseen_share: float  # of the current rows
    silent: bool = False  # values stay away that used to come
    importance: float | None = None  # share of what the model gained by it; None: not known


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All watched columns of one window against one reference."""

    model: str
    outcome: DriftOutcome
    reason: str
    rows: tuple[DriftRow, ...]
    prediction: DriftRow | None
    n_reference: int
    n_current: int
    importance: float | None = None  # share of the model that reads drifted columns
    answered: float | None = None  # answers that the window's rows stand for; None: the rows alone

    @property
    def answers(self) -> int:
        """How many answers there were, the ones that the log's sampling left out among them."""
        return self.n_current if self.answered is None else round(self.answered)

    @property
    def fired(self) -> bool:
        """Whether somebody should act."""
        return self.outcome in (DriftOutcome.DRIFTED, DriftOutcome.OUTAGE)

    @property
    def teaches(self) -> bool:
        """Whether new rows would help: a changed world does, an outage does not."""
        return self.outcome is DriftOutcome.DRIFTED

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the columns that drifted, in the contract's order."""
        return tuple(row.column for row in self.rows if row.drifted)


def drift_json(report: DriftReport) -> bytes:
    """JSON with sorted keys; `read_drift` reads it back."""
    return msgspec.json.encode(report, order="sorted")


def read_drift(content: bytes) -> DriftReport:
    """The report that `drift_json` wrote.

    Raises:
        MonitoringError: the content is no report.
    """
    try:
        return msgspec.json.decode(content, type=DriftReport)
    except msgspec.DecodeError as error:
        raise MonitoringError(f"this is no drift report: {error}") from error
