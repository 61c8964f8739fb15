"""What a window's finding leads to: a look is kept, an incident is raised or resolved.

Only the newest window speaks: looking at an old month again changes its look and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger import looks
from mlops_pipeline.ledger.looks import Look, LookKind
from mlops_pipeline.monitoring.causes import Cause, recovered, tell
from mlops_pipeline.monitoring.firing import Firing, fires
from mlops_pipeline.monitoring.live import LivePerformance, PerformanceOutcome
from mlops_pipeline.monitoring.records import DriftOutcome, DriftReport, DriftRow

BAD: Mapping[LookKind, frozenset[str]] = {
    LookKind.DRIFT: frozenset({DriftOutcome.DRIFTED}),
    LookKind.PERFORMANCE: frozenset({PerformanceOutcome.DEGRADED}),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest window of one kind, and whether its finding fires."""

    look: Look
    firing: Firing


def standing(
    tx: Connection, contract: ModelContract, kind: LookKind, *, version: str | None = None
) -> Standing | None:
    """Where the version stands (without one: the version that was looked at last); None before the
    first look."""
    newest = looks.newest(tx, contract.name, kind, version=version)
    if not newest:
        return None
    words = contract.monitoring
    seen = looks.newest(tx, contract.name, kind, version=newest[0].version, limit=words.windows)
    return Standing(newest[0], fires(words, seen, BAD[kind]))


def usual_answers(tx: Connection, contract: ModelContract, window: str) -> list[int]:
    """How many answers the windows before had."""
    return [
        int(look.numbers["answers"])
        for look in looks.all_of(tx, contract.name)
        if look.kind is LookKind.DRIFT
        and look.window < window
        and look.outcome != DriftOutcome.OUTAGE
    ]


def watch_drift(
    tx: Connection,
    contract: ModelContract,
    report: DriftReport,
    *,
    window: str,
    version: str,
    stored: str,
    now: datetime,
) -> Firing:
    """The look is kept; drift and outage are told or, once they are over, resolved."""
    rows = [*report.rows, *([report.prediction] if report.prediction else [])]
    look = looks.record(
        tx,
        contract.name,
        kind=LookKind.DRIFT,
        window=window,
        version=version,
        outcome=report.outcome,
        reason=report.reason,
        numbers={
            "answers": report.answers,
            "reference": report.n_reference,
            "importance": report.importance,
            "columns": {row.column: _shown(row) for row in rows},
        },
        report=stored,
        now=now,
    )
    now_stands = standing(tx, contract, LookKind.DRIFT, version=version)
    assert now_stands is not None
    if now_stands.look.window != window:
        return now_stands.firing
    model, outcome = contract.name, report.outcome
    if outcome is DriftOutcome.OUTAGE:
        worst = [row for row in report.rows if row.silent]
        names = ", ".join(row.column for row in worst) or "requests"
        summary = f"{model}: {names} stay away in {window}; training waits"
        _tell(tx, contract, Cause.OUTAGE, look, summary, _worst(worst), now)
    elif outcome is not DriftOutcome.INCONCLUSIVE:
        recovered(tx, model, Cause.OUTAGE, reason=f"{window}: values are back", now=now)
    if now_stands.firing.fired:
        drifted = [row for row in rows if row.drifted]
        names = ", ".join(row.column for row in drifted)
        summary = f"{model} drifts in {window}: {names}"
        detail = {**_worst(drifted), "windows": now_stands.firing.text}
        _tell(tx, contract, Cause.DRIFT, look, summary, detail, now)
    elif outcome in (DriftOutcome.STEADY, DriftOutcome.HARMLESS):
        recovered(tx, model, Cause.DRIFT, reason=f"{window}: {report.reason}", now=now)
    return now_stands.firing


def watch_performance(
    tx: Connection,
    contract: ModelContract,
    found: LivePerformance,
    *,
    window: str,
    stored: str,
    numbers: Mapping[str, object],
    now: datetime,
) -> Firing:
    """The look is kept; a version that got worse, or labels that stay away, are told or resolved.

    In a window whose values stay away the version is not to blame: such a window counts neither
    for nor against it.
    """
    model, version = contract.name, found.version
    outcome, reason = str(found.outcome), found.reason
    drift = looks.newest(tx, model, LookKind.DRIFT, version=version, upto=window)
    if drift and (drift[0].window, drift[0].outcome) == (window, DriftOutcome.OUTAGE):
        outcome, reason = DriftOutcome.OUTAGE.value, f"values stay away; {reason}"
    look = looks.record(
        tx,
        model,
        kind=LookKind.PERFORMANCE,
        window=window,
        version=version,
        outcome=outcome,
        reason=reason,
        numbers={**msgspec.to_builtins(found), **numbers, "coverage": found.coverage},
        report=stored,
        now=now,
    )
    now_stands = standing(tx, contract, LookKind.PERFORMANCE, version=version)
    assert now_stands is not None
    if now_stands.look.window != window:
        return now_stands.firing
    if outcome == PerformanceOutcome.UNLABELLED:
        detail: dict[str, Any] = {
            "value": found.coverage,
            "limit": contract.monitoring.min_coverage,
        }
        summary = f"{model}: labels of {window} stay away"
        _tell(tx, contract, Cause.LABELS, look, summary, detail, now)
    elif outcome in (PerformanceOutcome.HEALTHY, PerformanceOutcome.DEGRADED):
        recovered(tx, model, Cause.LABELS, reason=f"{window}: labels are here", now=now)
    if now_stands.firing.fired:
        broken = [bound for bound in found.bounds if bound.broken]
        summary = f"{model} got worse in {window}: {'; '.join(b.text for b in broken)}"
        detail = {
            "metric": ", ".join(bound.metric for bound in broken),
            "value": broken[0].live.value if broken else None,
            "limit": broken[0].released if broken else None,
            "n": found.labelled,
            "windows": now_stands.firing.text,
        }
        _tell(tx, contract, Cause.PERFORMANCE, look, summary, detail, now)
    elif outcome == PerformanceOutcome.HEALTHY:
        recovered(tx, model, Cause.PERFORMANCE, reason=f"{window}: {reason}", now=now)
    return now_stands.firing


def _tell(
    tx: Connection,
    contract: ModelContract,
    cause: Cause,
    look: Look,
    summary: str,
    detail: Mapping[str, object],
    now: datetime,
) -> None:
    seen = {
        **detail,
        "window": look.window,
        "version": look.version,
        "reason": look.reason,
        "report": look.report,
    }
    tell(tx, contract.name, cause, owner=contract.owner, summary=summary, detail=seen, now=now)


def _worst(rows: list[DriftRow]) -> dict[str, Any]:
    """The row farthest beyond its limit, as value against limit."""
    if not rows:
        return {}
    row = max(rows, key=lambda row: (row.value or 0) / (row.limit or 1))
    return {
        "metric": f"{row.method} of {row.column}",
        "value": row.value,
        "limit": row.limit,
        "missing": f"{row.null_reference:.1%} -> {row.null_current:.1%}",
        "n": row.n_current,
    }


def _shown(row: DriftRow) -> dict[str, Any]:
    return {
        "method": row.method,
        "value": row.value,
        "limit": row.limit,
        "drifted": row.drifted,
        "silent": row.silent,
        "missing": row.null_current,
        "unseen": row.unseen_share,
        "importance": row.importance,
        "effect": row.effect,
    }
