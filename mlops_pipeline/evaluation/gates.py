"""The gate: a report and the contract's promises become a verdict with reasons.

Judging is a pure function of two records, so a stored report can be judged again, anywhere, with
the same result. Every finding has one effect, and the verdict is the worst of them:

    promote   everything that the contract asks for is proven
    hold      something is undecided, or too good to be believed: a person or more rows decide
    reject    something is proven worse than the contract allows
    error     something could not be measured
"""

from collections.abc import Iterable

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Criterion
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.outcomes import (
    Outcome,
    against_bounds,
    against_champion,
    more_rows,
)
from mlops_pipeline.evaluation.records import Estimate, EvaluationReport
from mlops_pipeline.evaluation.verdict import (
    EFFECT,
    Finding,
    GateResult,
    Kind,
    Reason,
    Verdict,
    shown,
    unit_of,
)
from mlops_pipeline.evaluation.vetoes import (
    judge_baseline,
    judge_controls,
    judge_fairness,
    judge_leaks,
    judge_resources,
    judge_slices,
)

_ORDER = list(Verdict)


def judge(contract: ModelContract, report: EvaluationReport) -> GateResult:
    """The verdict on this report under this contract.

    Raises:
        EvaluationError: the report is about another model.
    """
    if report.model != contract.name:
        raise EvaluationError(
            f"a report on {report.model!r} cannot be judged by the contract of {contract.name!r}"
        )
    findings = (
        *judge_comparison(contract, report),
        *judge_fairness(contract, report),
        *judge_resources(contract, report.resources),
        *judge_baseline(contract, report),
        *judge_controls(report),
        *judge_leaks(report),
    )
    effects = [finding.worst for finding in findings if finding.worst is not None]
    verdict = max(effects, key=_ORDER.index, default=Verdict.HOLD)
    decided = tuple(f for f in findings if f.worst is verdict)
    if verdict is Verdict.PROMOTE:
        decided = tuple(f for f in decided if f.kind is Kind.CRITERION)
        if not decided:
            verdict, decided = Verdict.HOLD, (_nothing_proven(),)
            findings = (*findings, *decided)
    return GateResult(
        verdict=verdict,
        first_version=report.first_version,
        reasons=tuple(Reason(f.subject, f.outcome, f.text) for f in decided),
        findings=findings,
    )


def judge_comparison(contract: ModelContract, report: EvaluationReport) -> tuple[Finding, ...]:
    """What is found about the scores alone: criteria and slices."""
    return (
        *(_criterion(criterion, report) for criterion in contract.acceptance.criteria),
        *judge_slices(contract, report),
    )


def suspicious(findings: Iterable[Finding]) -> bool:
    """Some gain is larger than the contract believes unseen."""
    return any(finding.outcome is Outcome.SUSPICIOUS for finding in findings)


def _criterion(criterion: Criterion, report: EvaluationReport) -> Finding:
    if criterion.margin is not None:
        return _margin(criterion, criterion.margin, report)
    found = report.metrics.get(criterion.metric)
    value = found.candidate if found else Estimate(None, None, None)
    outcome = against_bounds(value, criterion.at_least, criterion.at_most)
    bounds = [
        (text, bound)
        for text, bound in (("at least", criterion.at_least), ("at most", criterion.at_most))
        if bound is not None
    ]
    nearest = min((b for _, b in bounds), key=lambda b: abs((value.value or 0.0) - b))
    rows = more_rows(value, nearest, report.rows) if outcome is Outcome.INCONCLUSIVE else None
    unit = unit_of(report, criterion.metric)
    asked = " and ".join(f"{text} {bound:g}{unit}" for text, bound in bounds)
    return Finding(
        kind=Kind.CRITERION,
        subject=criterion.metric,
        outcome=outcome,
        worst=EFFECT[outcome],
        text=f"{criterion.metric} is {shown(value)}{unit}; asked is {asked}: "
        + _word(outcome, rows, report),
        estimate=value,
        bound=nearest,
        more_rows=rows,
    )


def _margin(criterion: Criterion, margin: float, report: EvaluationReport) -> Finding:
    subject = f"{criterion.metric} against the champion"
    if report.first_version:
        return Finding(
            Kind.CRITERION,
            subject,
            Outcome.NO_BASELINE,
            None,
            f"{criterion.metric}: first version, no baseline to compare with",
            bound=-margin,
        )
    found, unit = report.metrics.get(criterion.metric), unit_of(report, criterion.metric)
    gain = (found.gain if found else None) or Estimate(None, None, None)
    outcome = against_champion(gain, margin)
    passed = outcome in (Outcome.SUPERIOR, Outcome.NON_INFERIOR)
    if passed and criterion.cap is not None and (gain.value or 0.0) > criterion.cap:
        outcome = Outcome.SUSPICIOUS
    rows = more_rows(gain, -margin, report.rows) if outcome is Outcome.INCONCLUSIVE else None
    if outcome is Outcome.SUSPICIOUS:
        word = f"more than the {criterion.cap:g}{unit} that is believed unseen: look for a leak"
    else:
        word = _word(outcome, rows, report)
    return Finding(
        kind=Kind.CRITERION,
        subject=subject,
        outcome=outcome,
        worst=EFFECT[outcome],
        text=f"{criterion.metric} against champion v{report.champion_version}: "
        f"gain {shown(gain, signed=True)}{unit}, allowed loss {margin:g}{unit}: {word}",
        estimate=gain,
        bound=-margin,
        more_rows=rows,
    )


def _nothing_proven() -> Finding:
    return Finding(
        Kind.EVIDENCE,
        "acceptance.criteria",
        Outcome.INCONCLUSIVE,
        Verdict.HOLD,
        "nothing was proven: every criterion needs a champion and there is none; "
        "add an absolute bound (at_least, at_most) to the contract",
    )


def _word(outcome: Outcome, rows: int | None, report: EvaluationReport) -> str:
    if outcome is not Outcome.INCONCLUSIVE:
        return outcome.value.replace("_", "-")
    if rows is None:
        return "inconclusive, and more rows will hardly decide it"
    kind = f"{report.group_kind}s" if report.group_kind == "day" else "groups"
    groups = max(1, round(rows * report.groups / report.rows))
    return f"inconclusive; about {rows:,} more rows ({groups:,} {kind}) would decide"
