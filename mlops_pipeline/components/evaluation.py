"""Evaluation on the Dagster floor: the contest, the report, the gate, and what happens on a no."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import msgspec
from sqlalchemy import Connection

from mlops_pipeline.components.contest import Contest, evaluate_chosen, hold_contest
from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import picture, table
from mlops_pipeline.components.names import common, key
from mlops_pipeline.components.training import CandidateRef
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.figures import figures
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import (
    GATE,
    PAGE,
    REPORT,
    EvaluationReport,
    read_report,
    report_json,
)
from mlops_pipeline.evaluation.remedies import remedy
from mlops_pipeline.evaluation.report import render_html
from mlops_pipeline.evaluation.verdict import GateResult, Verdict, gate_json
from mlops_pipeline.ledger import audit, retrains, reviews, verdicts
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.monitoring import tags

REVIEW_TAG = "mlops/review"  # the number of the failed attempt that a run follows


@dataclass(frozen=True, slots=True)
class EvaluationRef:
    """A judged candidate: what it is, what was found, and what the gate said."""

    candidate: CandidateRef
    report: str  # digest of the tree of report, gate and page
    verdict: Verdict
    verdict_id: int


def evaluation_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """The best candidate against the champion, with a verdict."""

    @dg.asset(
        key=key(contract, "evaluation"),
        description="The best candidate beside the champion on the same rows, and the verdict.",
        ins={
            f"candidate_{c.name}": dg.AssetIn(
                key(contract, f"candidate_{c.name}"),
                dagster_type=CandidateRef,
            )
            for c in contract.candidates
        },
        **common(contract, "evaluation", "mlflow"),
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        house: House,
        mlflow: dg.ResourceParam[Any],
        **fitted: CandidateRef,
    ) -> dg.MaterializeResult[EvaluationRef]:
        candidates = {candidate.name: candidate for candidate in fitted.values()}
        contest = hold_contest(contract, house, candidates)
        report = evaluate_chosen(contract, house, contest)
        gate = judge(contract, report)
        pictures = figures(report, gate)
        page = render_html(report, gate, pictures)
        tree = {REPORT: report_json(report), GATE: gate_json(gate), PAGE: page.encode()}
        stored = house.objects.put_tree(tree)
        mlflow_run = mlflow.active_run().info.run_id
        number = _record(contract, house, contest, report, gate, stored, context.run, mlflow_run)
        house.registry.log_evaluation(
            mlflow_run,
            metrics=_metrics(report),
            params={"candidate": report.candidate, "verdict": gate.verdict.value},
            artifacts={**tree, **{f"figures/{name}.png": png for name, png in pictures.items()}},
            now=datetime.now(UTC),
        )
        return dg.MaterializeResult(
            value=EvaluationRef(contest.chosen, stored, gate.verdict, number),
            data_version=dg.DataVersion(stored),
            metadata=_metadata(contest, report, gate, stored, pictures),
        )

    return evaluation


def gate_check(contract: ModelContract) -> dg.AssetChecksDefinition:
    """The gate, judged once more from the stored report."""

    @dg.asset_check(
        asset=key(contract, "evaluation"),
        name="gate",
        description="Every promise of the contract is proven on rows that nobody trained on. "
        "Registration asks the stored verdict itself: this check shows it, it is not the lock.",
    )
    def gate(house: House, evaluation: EvaluationRef) -> dg.AssetCheckResult:
        stored = house.objects.get_tree(evaluation.report)
        return _shown(judge(contract, read_report(stored[REPORT])))

    return gate


def _record(
    contract: ModelContract,
    house: House,
    contest: Contest,
    report: EvaluationReport,
    gate: GateResult,
    stored: str,
    run: dg.DagsterRun,
    mlflow_run: str,
) -> int:
    """The verdict is in the ledger; a candidate that did not pass waits for a person there."""
    now = datetime.now(UTC)
    with transaction(house.ledger) as tx:
        number = verdicts.record(
            tx,
            contract.name,
            candidate_digest=contest.chosen.bundle,
            verdict=gate.verdict,
            report_digest=stored,
            reasons=gate.reasons,
            run_id=run.run_id,
            now=now,
        )
        if gate.verdict is not Verdict.PROMOTE:
            reviews.open_review(
                tx,
                contract.name,
                kind=ReviewKind.CANDIDATE,
                subject=contest.chosen.bundle,
                check="gate",
                severity="error",
                detail={
                    "verdict": gate.verdict,
                    "reasons": gate.reasons,
                    "report": stored,
                    "candidate": contest.chosen.name,
                    "as_of": f"{contest.chosen.features.snapshot.end:%Y-%m-%d}",
                    "run": run.run_id,
                    "mlflow_run": mlflow_run,
                    "attempt_after": run.tags.get(REVIEW_TAG),
                    **msgspec.to_builtins(remedy(report, gate)),
                },
                now=now,
            )
        else:
            _close_passed(tx, contract.name, contest.chosen.bundle, run.run_id, now)
        if tags.RETRAIN in run.tags:
            retrains.close(tx, int(run.tags[tags.RETRAIN]), outcome=gate.verdict, now=now)
    return number


def _close_passed(tx: Connection, model: str, bundle: str, run: str, now: datetime) -> None:
    """What failed before has been made good: its items need nobody any more."""
    for item in reviews.open_items(tx, model):
        if item.kind is ReviewKind.CANDIDATE:
            reason = f"a later candidate passed: bundle {bundle[:12]}… of run {run}"
            reviews.dismiss(tx, item.id, by=audit.PIPELINE, reason=reason, now=now)


def _metrics(report: EvaluationReport) -> dict[str, float]:
    """Every finite number that a run is compared by."""
    found: dict[str, float | None] = {}
    for name, result in report.metrics.items():
        found[name] = result.candidate.value
        found[f"{name}_low"] = result.candidate.low
        found[f"{name}_high"] = result.candidate.high
        if result.gain is not None:
            found[f"{name}_gain"] = result.gain.value
    return {name: value for name, value in found.items() if value is not None}


def _metadata(
    contest: Contest,
    report: EvaluationReport,
    gate: GateResult,
    stored: str,
    pictures: Mapping[str, bytes],
) -> dict[str, Any]:
    return {
        "verdict": gate.verdict.value,
        "candidate": report.candidate,
        "champion": report.champion_version or "first version, no baseline",
        "rows": report.rows,
        "positives": report.positives,
        "report": stored,
        "reasons": table({"promise": r.subject, "finding": r.text} for r in gate.reasons),
        "contest": table(
            {"candidate": n, "on validation rows": p, "goes on": n == report.candidate}
            for n, p in contest.points.items()
        ),
        **_metrics(report),
        **{name: picture(png, name) for name, png in pictures.items()},
    }


def _shown(gate: GateResult) -> dg.AssetCheckResult:
    """The verdict where people look for it: held is a warning, rejected is an error."""
    held = gate.verdict is Verdict.HOLD
    return dg.AssetCheckResult(
        check_name="gate",
        passed=gate.verdict is Verdict.PROMOTE,
        severity=dg.AssetCheckSeverity.WARN if held else dg.AssetCheckSeverity.ERROR,
        description="; ".join(reason.text for reason in gate.reasons),
        metadata={
            "verdict": gate.verdict.value,
            "findings": table(
                {
                    "about": f.kind.value,
                    "promise": f.subject,
                    "outcome": f.outcome.value,
                    "finding": f.text,
                }
                for f in gate.findings
            ),
        },
    )
