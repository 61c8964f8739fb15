"""What can stop a candidate besides its criteria: harm to a slice, unfair gaps, its cost."""

from collections.abc import Iterator

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.outcomes import (
    Outcome,
    against_bounds,
    against_champion,
    more_rows,
)
from mlops_pipeline.evaluation.records import (
    Estimate,
    EvaluationReport,
    FairnessResult,
    ResourceUse,
    SliceResult,
    SliceStatus,
)
from mlops_pipeline.evaluation.slices import holm
from mlops_pipeline.evaluation.verdict import EFFECT, Finding, Kind, Verdict, shown

DIFFERENCE_LIMIT = 1e-6  # between the predictions evaluated and those of the stored files


def judge_slices(contract: ModelContract, report: EvaluationReport) -> Iterator[Finding]:
    """Each slice; only harm that stays proven after Holm's correction over all of them vetoes."""
    alpha = (1 - contract.acceptance.confidence) / 2
    tested = [s for s in report.slices if s.status is SliceStatus.EVALUATED]
    adjusted = holm([1.0 if s.harm_p is None else s.harm_p for s in tested])
    proven = {id(s) for s, p in zip(tested, adjusted, strict=True) if p < alpha}
    for result in report.slices:
        yield _slice(result, id(result) in proven)
    present = {result.by for result in report.slices}
    for declared in contract.slices:
        if declared.by not in present:
            yield _absent(Kind.SLICE, declared.by)


def _slice(result: SliceResult, harmed: bool) -> Finding:
    subject = f"{result.by} = {result.value}"
    if result.status is SliceStatus.MISSING:
        outcome, said = Outcome.MISSING, f"could not be evaluated: {result.detail}"
    elif result.status is SliceStatus.TOO_SMALL:
        outcome, said = Outcome.NOT_EVALUATED, f"not evaluated: {result.detail}"
    elif result.status is SliceStatus.NO_BASELINE:
        outcome, said = Outcome.NO_BASELINE, "first version, no baseline"
    else:
        outcome = Outcome.INFERIOR if harmed else Outcome.MET
        gain = shown(result.gain or Estimate(None, None, None), signed=True)
        said = f"{result.metric} gain {gain} on {result.rows:,} rows, " + (
            f"proven to lose more than {result.margin:g}"
            if harmed
            else f"no proven loss beyond {result.margin:g}"
        )
    return Finding(
        Kind.SLICE,
        subject,
        outcome,
        EFFECT[outcome],
        f"{subject}: {said}",
        estimate=result.gain,
        bound=-result.margin,
    )


def _fairness(result: FairnessResult, rows: int) -> Finding:
    judged = sum(group.rate is not None for group in result.groups)
    subject = f"{result.metric} by {result.by}"
    between = f" between {result.between[0]} and {result.between[1]}" if result.between else ""
    if result.groups and judged < 2:
        outcome = Outcome.NOT_EVALUATED
    else:
        outcome = against_bounds(result.gap, None, result.max_gap)
    binding = result.severity == "error"
    unproven = outcome is Outcome.NOT_EVALUATED and binding
    informs = not binding and outcome is not Outcome.MISSING
    more = more_rows(result.gap, result.max_gap, rows) if outcome is Outcome.INCONCLUSIVE else None
    said = (
        f"only {judged} group is large enough"
        if outcome is Outcome.NOT_EVALUATED
        else f"gap {shown(result.gap)}{between}; allowed is {result.max_gap:g}: {outcome.value}"
    )
    return Finding(
        kind=Kind.FAIRNESS,
        subject=subject,
        outcome=outcome,
        worst=Verdict.HOLD if unproven else None if informs else EFFECT[outcome],
        text=f"{subject}: {said}",
        estimate=result.gap,
        bound=result.max_gap,
        more_rows=more,
    )


def judge_fairness(contract: ModelContract, report: EvaluationReport) -> Iterator[Finding]:
    """Each gap; one of severity warn only informs, as long as it could be measured."""
    yield from (_fairness(result, report.rows) for result in report.fairness)
    present = {(result.by, result.metric) for result in report.fairness}
    for declared in contract.fairness:
        if (declared.by, declared.metric) not in present:
            yield _absent(Kind.FAIRNESS, f"{declared.metric} by {declared.by}")


def judge_resources(contract: ModelContract, use: ResourceUse | None) -> Iterator[Finding]:
    """Each budget, and whether the stored files answer as the evaluated model did."""
    if use is None:
        yield _absent(Kind.RESOURCE, "resources")
        return
    limits, p99 = contract.acceptance.resources, use.single_row_p99_range
    for subject, value, limit, unit, spread in (
        ("single-row p99", use.single_row_p99_ms, limits.single_row_p99_ms, "ms", p99),
        ("bundle size", use.bundle_mib, limits.bundle_mib, "MiB", None),
        ("load time", use.load_seconds, limits.load_seconds, "s", use.load_range),
        ("stored predictions differ", use.largest_difference, DIFFERENCE_LIMIT, "", None),
    ):
        outcome = against_bounds(Estimate(value, value, value), None, limit)
        sign = "<=" if outcome is Outcome.MET else ">"
        yield Finding(
            Kind.RESOURCE,
            subject,
            outcome,
            EFFECT[outcome],
            f"{subject}: {value:.3g} {unit} {sign} {limit:g} {unit}".replace("  ", " ").rstrip()
            + (f" (median of {use.probes}, {spread[0]:.3g} to {spread[1]:.3g})" if spread else ""),
            estimate=Estimate(value, value, value),
            bound=limit,
        )
    if not use.refuses_bad_input:
        yield Finding(
            Kind.RESOURCE,
            "bad input",
            Outcome.MISSED,
            Verdict.REJECT,
            "bad input: a row of the wrong width was answered instead of refused",
        )


def judge_controls(report: EvaluationReport) -> Iterator[Finding]:
    """Each negative control; where one fails, no verdict on these rows can be believed."""
    for control in report.controls:
        outcome = _HELD[control.held]
        said = {True: "as it must", False: "it was not", None: "not tried"}[control.held]
        yield Finding(
            Kind.CONTROL,
            control.name,
            outcome,
            Verdict.ERROR if control.held is False else None,
            f"{control.name} must be {control.must}; {said}: {control.detail}",
        )


def judge_baseline(contract: ModelContract, report: EvaluationReport) -> Iterator[Finding]:
    """A candidate that a cheap model beats is rejected; one that is not ahead of it is held."""
    result = report.baseline
    if result is None:
        if contract.acceptance.beat_linear:
            yield _absent(Kind.EVIDENCE, "cheap baseline")
        return
    gain = result.gain
    outcome = against_champion(gain, 0.0)
    if outcome is Outcome.INCONCLUSIVE and (gain.value or 0.0) > 0:
        said, worst = "ahead of it, not proven", None
    else:
        said, worst = outcome.value.replace("_", "-"), EFFECT[outcome]
    yield Finding(
        Kind.EVIDENCE,
        "cheap baseline",
        outcome,
        worst if contract.acceptance.beat_linear and worst is not Verdict.PROMOTE else None,
        f"{result.metric} against a {result.name} model: gain {shown(gain, signed=True)}: {said}",
        estimate=gain,
        bound=0.0,
    )


def judge_leaks(report: EvaluationReport) -> Iterator[Finding]:
    """What the probe found; a person decides, whatever it found."""
    probe = report.leaks
    if probe is None:
        return
    looked = f"{probe.features} features and {probe.keys} rows were looked at"
    for leak in probe.found:
        yield Finding(
            Kind.EVIDENCE, leak.where, Outcome.SUSPICIOUS, Verdict.HOLD, f"leak probe: {leak.text}"
        )
    if not probe.found:
        yield Finding(
            Kind.EVIDENCE,
            "leak probe",
            Outcome.NOT_EVALUATED,
            None,
            f"leak probe: nothing found; {looked}; a person decides whether to believe the gain",
        )


_HELD = {True: Outcome.MET, False: Outcome.MISSED, None: Outcome.NOT_EVALUATED}


def _absent(kind: Kind, subject: str) -> Finding:
    return Finding(
        kind,
        subject,
        Outcome.MISSING,
        Verdict.ERROR,
        f"{subject}: the contract asks for it and the report does not hold it; evaluate again",
    )
