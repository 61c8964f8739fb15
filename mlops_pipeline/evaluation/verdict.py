"""What a gate says, as records with one JSON text."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from mlops_pipeline.contract.tasks import IN_UNITS
from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import Estimate, EvaluationReport


class Verdict(StrEnum):
    """What may happen to the candidate, from best to worst."""

    PROMOTE = "promote"
    HOLD = "hold"
    REJECT = "reject"
    ERROR = "error"


class Kind(StrEnum):
    """Which promise of the contract a finding is about."""

    CRITERION = "criterion"
    SLICE = "slice"
    FAIRNESS = "fairness"
    RESOURCE = "resource"
    EVIDENCE = "evidence"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise judged. `worst` is the verdict that it allows at best; None: it only informs."""

    kind: Kind
    subject: str
    outcome: Outcome
    worst: Verdict | None
    text: str
    estimate: Estimate | None = None
    bound: float | None = None
    more_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the verdict is what it is, as one sentence about one promise."""

    subject: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict, what decided it, and everything that was judged."""

    verdict: Verdict
    first_version: bool
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]


EFFECT: dict[Outcome, Verdict | None] = {
    Outcome.SUPERIOR: Verdict.PROMOTE,
    Outcome.NON_INFERIOR: Verdict.PROMOTE,
    Outcome.MET: Verdict.PROMOTE,
    Outcome.INFERIOR: Verdict.REJECT,
    Outcome.MISSED: Verdict.REJECT,
    Outcome.INCONCLUSIVE: Verdict.HOLD,
    Outcome.SUSPICIOUS: Verdict.HOLD,
    Outcome.NO_BASELINE: None,
    Outcome.NOT_EVALUATED: None,
    Outcome.MISSING: Verdict.ERROR,
}


def gate_json(result: GateResult) -> bytes:
    """Canonical JSON of the result; `read_gate` reads it back."""
    return canonical_json(msgspec.to_builtins(result))


def read_gate(content: bytes) -> GateResult:
    """The result that `gate_json` wrote.

    Raises:
        EvaluationError: the content is no gate result.
    """
    try:
        return msgspec.json.decode(content, type=GateResult)
    except msgspec.DecodeError as error:
        raise EvaluationError(f"this is no gate result: {error}") from error


def unit_of(report: EvaluationReport, metric: str) -> str:
    """The unit of a metric's values, with a space before it; empty where it has none."""
    return f" {report.unit}" if report.unit and metric in IN_UNITS else ""


def shown(found: Estimate, *, signed: bool = False) -> str:
    """The estimate for people: `0.7104 [0.6950, 0.7211]`."""
    form = "+.4f" if signed else ".4f"
    if found.value is None:
        return "undefined"
    if found.low is None or found.high is None:
        return f"{found.value:{form}} (no interval)"
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"
