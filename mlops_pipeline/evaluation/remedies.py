"""What helps a person with a candidate that did not pass: what failed, what is new, what next."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import Change, EvaluationReport, SliceStatus
from mlops_pipeline.evaluation.verdict import Finding, GateResult, Kind, Verdict

FAILS = frozenset({Verdict.HOLD, Verdict.REJECT, Verdict.ERROR})
MOST = 8


@dataclass(frozen=True, slots=True)
class WeakSlice:
    """A slice in which the candidate lost, worst first."""

    slice: str
    rows: int
    positives: int | None
    gain: float
    vetoed: bool


@dataclass(frozen=True, slots=True)
class Remedy:
    """One item of the queue: enough to decide what to try, without opening anything else."""

    summary: str
    failing: tuple[str, ...]
    slices: tuple[WeakSlice, ...]
    differences: tuple[Change, ...]
    actions: tuple[str, ...]


def remedy(report: EvaluationReport, gate: GateResult) -> Remedy:
    """What failed, where, beside what changed since the champion, and what to try."""
    failing = [f for f in gate.findings if f.worst in FAILS]
    return Remedy(
        summary=f"{report.candidate}: {gate.verdict.value}: "
        + (failing[0].text if failing else "nothing was proven"),
        failing=tuple(f.text for f in failing),
        slices=_weak(report, gate),
        differences=report.changes[:MOST],
        actions=tuple(dict.fromkeys(_actions(report, failing))),
    )


def _weak(report: EvaluationReport, gate: GateResult) -> tuple[WeakSlice, ...]:
    vetoed = {f.subject for f in gate.findings if f.kind is Kind.SLICE and f.worst in FAILS}
    found = [
        WeakSlice(
            f"{s.by} = {s.value}",
            s.rows,
            s.positives,
            s.gain.value,
            f"{s.by} = {s.value}" in vetoed,
        )
        for s in report.slices
        if s.status is SliceStatus.EVALUATED and s.gain and s.gain.value is not None
    ]
    return tuple(sorted((w for w in found if w.gain < 0), key=lambda w: w.gain)[:MOST])


def _actions(report: EvaluationReport, failing: list[Finding]) -> Iterator[str]:
    changed = {change.what: change for change in report.changes}
    for finding in failing:
        if finding.outcome is Outcome.INCONCLUSIVE:
            more = f"about {finding.more_rows:,} more rows" if finding.more_rows else "more rows"
            yield f"wait for {more} ({finding.subject}), or let a person pass it with a reason"
        elif finding.outcome is Outcome.SUSPICIOUS:
            yield f"look for a leak before anything else: {finding.text}"
        elif finding.kind is Kind.SLICE:
            yield f"look at the rows of {finding.subject}: they need more rows, or a feature"
        elif finding.kind is Kind.RESOURCE:
            yield f"make the model smaller (fewer rounds, leaves or layers): {finding.subject}"
        elif finding.kind is Kind.CONTROL:
            yield f"mend the gate first: {finding.text}"
        elif finding.outcome is Outcome.MISSING:
            yield f"evaluate again: {finding.subject} could not be measured"
    parameters = [c for what, c in changed.items() if what.startswith("parameter ")]
    if parameters:
        told = ", ".join(f"{c.what.removeprefix('parameter ')}={c.before}" for c in parameters)
        yield f"go back to the champion's parameters: {told}"
    if "trained on" in changed:
        yield f"the newest rows differ: compare drift of {changed['trained on'].after}"
    if "feature definitions" in changed:
        yield "the features changed: fit the candidate once with the champion's definitions"
