"""What live answers were worth in one window, as records."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from mlops_pipeline.evaluation.records import Estimate


class PerformanceOutcome(StrEnum):
    """What a window says of its version."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"  # proven worse than at its release by more than a margin
    UNLABELLED = "unlabelled"  # matured, but not enough of it is told of
    UNKNOWN = "unknown"  # too few matured rows to say anything


@dataclass(frozen=True, slots=True)
class LiveSlice:
    """One cut of the answers."""

    by: str
    value: str
    metric: str
    rows: int
    positives: int | None  # where labels are yes or no
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class BoundFinding:
    """One metric in service beside what it was at the release."""

    metric: str
    released: float
    margin: float
    live: Estimate
    broken: bool
    text: str


@dataclass(frozen=True, slots=True)
class LivePerformance:
    """One version's predictions in one window, and what their labels say."""

    model: str
    version: str
    start: str | None  # first and last event time
    end: str | None
    as_of: str
    predictions: int
    matured: int  # old enough for their label to be here
    labelled: int  # of the matured
    without_label: int  # of the matured: known never to get one
    missing: int  # of the matured: not told
    corrected: int  # of the labelled
    positives: int | None  # where labels are yes or no
    metrics: dict[str, Estimate]
    trusted: bool  # enough rows, and enough of them labelled
    reason: str
    outcome: PerformanceOutcome = PerformanceOutcome.UNKNOWN
    estimated: dict[str, float] | None = None  # from scores alone; None: nothing to calibrate by
    bounds: tuple[BoundFinding, ...] = ()
    slices: tuple[LiveSlice, ...] = ()

    @property
    def coverage(self) -> float | None:
        """Share of the matured predictions of which it is known what happened."""
        return 1 - self.missing / self.matured if self.matured else None

    @property
    def estimate_errors(self) -> dict[str, float]:
        """Realised less estimated, of every metric that has both."""
        return {
            name: self.metrics[name].value - value  # type: ignore[operator]  # asked below
            for name, value in (self.estimated or {}).items()
            if self.metrics[name].value is not None
        }


def performance_json(found: LivePerformance) -> bytes:
    """JSON with sorted keys."""
    return msgspec.json.encode(found, order="sorted")
