"""What an evaluation found, as records: evidence only. `gates.judge` turns it into a verdict.

A number that could not be had is None, never NaN: the records have one JSON text and one digest.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import EvaluationError

REPORT, GATE, PAGE = "report.json", "gate.json", "report.html"  # what one evaluation leaves behind


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its confidence interval; `low <= value <= high` where all are there."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def whole(self) -> bool:
        """Value and interval are there."""
        return None not in (self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric of the candidate and, on the same rows, of the champion."""

    candidate: Estimate
    champion: Estimate | None
    gain: Estimate | None  # paired; positive is better, whatever the metric's direction


class SliceStatus(StrEnum):
    """Whether a slice could be compared."""

    EVALUATED = "evaluated"
    TOO_SMALL = "too_small"  # fewer rows or positives than the contract asks for
    NO_BASELINE = "no_baseline"
    MISSING = "missing"  # its column was not given, or its metric is undefined


@dataclass(frozen=True, slots=True)
class SliceResult:
    """One cut of the rows; `harm_p` is the p-value of "not worse by more than the margin"."""

    by: str
    value: str
    metric: str
    margin: float
    status: SliceStatus
    rows: int
    positives: int | None  # of a binary task
    candidate: float | None = None
    champion: float | None = None
    gain: Estimate | None = None
    harm_p: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One group's rate; None where the group is too small to say."""

    value: str
    rows: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class FairnessResult:
    """The largest gap of a rate between groups, its interval corrected for picking that pair."""

    by: str
    metric: str
    max_gap: float
    severity: str
    groups: tuple[GroupRate, ...]
    gap: Estimate
    between: tuple[str, str] | None  # highest, lowest


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What one version costs, measured in a fresh process from its native files."""

    load_seconds: float  # of one CPU, imports included: others on the machine do not count
    single_row_p50_ms: float
    single_row_p99_ms: float
    rows_per_second: float  # batch, one thread
    peak_mib: float
    bundle_mib: float
    largest_difference: float  # against the predictions that were evaluated
    refuses_bad_input: bool  # a row of the wrong width is an error, not an answer
    probes: int = 1  # times are the medians of so many fresh processes
    single_row_p99_range: tuple[float, float] | None = None  # ms; None: one process
    load_range: tuple[float, float] | None = None  # seconds


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows of similar score: the mean score beside the observed rate, or mean."""

    rows: int
    score: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by answer and label at the threshold."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Rows by label (down) and answer (across), in the order of the classes."""

    names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Residuals:
    """Truth less answer: rows by cell, the tails in the outermost cells, and its quantiles."""

    edges: tuple[float, ...]
    rows: tuple[int, ...]  # one fewer than edges
    mean: float
    low: float  # the 5 % quantile
    median: float
    high: float  # the 95 % quantile


@dataclass(frozen=True, slots=True)
class Change:
    """Something that differs from the champion: data, code, a parameter, the contract."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ControlResult:
    """A model whose verdict is known beforehand, and whether the gate gave it."""

    name: str
    must: str  # be rejected, be vetoed, not be rejected
    held: bool | None  # None: it could not be tried on these rows
    detail: str


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """The candidate beside a cheap model that was fitted on the same rows."""

    name: str
    metric: str
    value: float | None  # of the baseline
    gain: Estimate  # of the candidate over it; positive is better


@dataclass(frozen=True, slots=True)
class Leak:
    """Something by which the answer may have reached the model."""

    where: str  # a feature, or "rows", or "time"
    strength: float  # an AUC, or how many rows
    text: str


@dataclass(frozen=True, slots=True)
class LeakProbe:
    """What was looked at because a gain was too good to be believed, and what was found."""

    features: int
    keys: int
    found: tuple[Leak, ...]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Everything that was measured about one candidate on one set of rows."""

    model: str
    candidate: str
    champion_version: str | None
    first_version: bool  # no champion to compare with
    rows: int
    positives: int | None  # of a binary task
    groups: int
    group_kind: str
    rows_digest: str  # of the features, labels and groups that both were scored on
    confidence: float
    resamples: int
    seed: int
    threshold: float
    metrics: dict[str, MetricResult]
    slices: tuple[SliceResult, ...]
    fairness: tuple[FairnessResult, ...]
    resources: ResourceUse | None
    reliability: tuple[ReliabilityBin, ...]
    confusion: Confusion | None  # of a binary task
    calibration_p: float | None
    importance: dict[str, float]
    changes: tuple[Change, ...]
    controls: tuple[ControlResult, ...] = ()
    baseline: BaselineResult | None = None
    leaks: LeakProbe | None = None  # None: no gain was suspicious
    attributions: dict[str, float] = field(default_factory=dict)  # mean size, log-odds or numbers
    residuals: Residuals | None = None  # of a number
    classes: ClassCounts | None = None  # of a multiclass task
    task: str = "binary"
    unit: str = ""  # of the target, for people


def report_json(report: EvaluationReport) -> bytes:
    """Canonical JSON; `read_report` reads it back."""
    return canonical_json(msgspec.to_builtins(report))


def read_report(content: bytes) -> EvaluationReport:
    """The report that `report_json` wrote.

    Raises:
        EvaluationError: the content is no report.
    """
    try:
        return msgspec.json.decode(content, type=EvaluationReport)
    except msgspec.DecodeError as error:
        raise EvaluationError(f"this is no evaluation report: {error}") from error


def finite(value: float) -> float | None:
    """The value, or None where it is NaN or infinite."""
    number = float(value)
    return number if number - number == 0 else None
