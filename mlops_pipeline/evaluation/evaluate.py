"""The evaluation itself: scores of candidate and champion on the same rows become a report."""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.delong import auc_estimates
from mlops_pipeline.evaluation.estimates import RANGE, UNBOUNDED, estimate
from mlops_pipeline.evaluation.fairness import evaluate_fairness
from mlops_pipeline.evaluation.intervals import Draws, draw_groups, draw_metric, gain
from mlops_pipeline.evaluation.judged import pictures
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import (
    Change,
    EvaluationReport,
    MetricResult,
    ResourceUse,
)
from mlops_pipeline.evaluation.slices import evaluate_slices
from mlops_pipeline.training.rows import LabelledRows


def evaluate(
    contract: ModelContract,
    *,
    candidate: str,
    rows: LabelledRows,
    cuts: Mapping[str, np.ndarray],
    scores: np.ndarray,
    champion_scores: np.ndarray | None,
    champion_version: str | None,
    resources: ResourceUse | None,
    seed: int,
    importance: Mapping[str, float] | None = None,
    changes: tuple[Change, ...] = (),
    attributions: Mapping[str, float] | None = None,
    metrics: Collection[str] | None = None,
) -> EvaluationReport:
    """Everything that these rows say about the candidate, with intervals; nothing is judged yet.

    `cuts` holds one value a row for every column that the contract's slices and fairness groups
    name: texts, numbers, or category codes. `champion_scores` are the champion's on the same rows.
    Only `metrics` are computed; all that the task has where none are named.

    Raises:
        EvaluationError: there are no rows, or something has another length than they.
    """
    _require_aligned(contract, rows, cuts, scores, champion_scores)
    if (champion_scores is None) != (champion_version is None):
        raise EvaluationError("champion_scores and champion_version go together; give both or none")
    labels, bounds = rows.labels, contract.acceptance
    draws = draw_groups(rows.groups, resamples=bounds.resamples, seed=seed)
    seen = pictures(contract, draws, labels, scores, seed=seed)
    return EvaluationReport(
        model=contract.name,
        candidate=candidate,
        champion_version=champion_version,
        first_version=champion_version is None,
        rows=len(rows),
        positives=rows.positives,
        groups=len(np.unique(rows.groups)),
        group_kind=contract.splits.group,
        rows_digest=rows_digest(rows),
        confidence=bounds.confidence,
        resamples=bounds.resamples,
        seed=seed,
        threshold=bounds.threshold,
        metrics={
            name: _metric(contract, name, draws, labels, scores, champion_scores)
            for name in (contract.kind.metrics if metrics is None else metrics)
        },
        slices=evaluate_slices(
            contract,
            cuts,
            labels=labels,
            scores=scores,
            champion_scores=champion_scores,
            draws=draws,
        ),
        fairness=evaluate_fairness(contract, cuts, labels=labels, scores=scores, draws=draws),
        resources=resources,
        reliability=seen.reliability,
        confusion=seen.confusion,
        classes=seen.classes,
        calibration_p=seen.calibration_p,
        residuals=seen.residuals,
        importance=dict(importance or {}),
        changes=changes,
        attributions=dict(attributions or {}),
        task=contract.task,
        unit=contract.target.unit,
    )


def rows_digest(rows: LabelledRows) -> str:
    """SHA-256 over names, values, labels and groups: both models were scored on exactly these."""
    digest = hashlib.sha256("\n".join(rows.matrix.names).encode())
    for column in (rows.matrix.values, rows.labels, rows.groups):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _require_aligned(
    contract: ModelContract,
    rows: LabelledRows,
    cuts: Mapping[str, np.ndarray],
    scores: np.ndarray,
    champion_scores: np.ndarray | None,
) -> None:
    if not len(rows):
        raise EvaluationError("there are no labelled rows to evaluate on; widen the test window")
    told = (len(contract.classes),) if contract.classes else ()
    parts = {"scores": (scores, told)}
    parts |= {f"cut {name!r}": (values, ()) for name, values in cuts.items()}
    if champion_scores is not None:
        parts["champion_scores"] = champion_scores, told
    for name, (part, of_each) in parts.items():
        if part.shape != (len(rows), *of_each):
            classes = f" and {len(contract.classes)} classes" if of_each else ""
            raise EvaluationError(f"{name} has shape {part.shape} for {len(rows)} rows{classes}")


def _metric(
    contract: ModelContract,
    name: str,
    draws: Draws,
    labels: np.ndarray,
    scores: np.ndarray,
    champion_scores: np.ndarray | None,
) -> MetricResult:
    bar, confidence = contract.bar, contract.acceptance.confidence
    if name == "roc_auc" and contract.splits.group == "row":
        return MetricResult(*auc_estimates(labels, scores, champion_scores, confidence))
    own = measure(name, labels, scores, bar)
    own_drawn = draw_metric(name, draws, labels, scores, bar)
    within = RANGE.get(name, UNBOUNDED)
    result = estimate(own, own_drawn, draws, confidence, within)
    if champion_scores is None:
        return MetricResult(result, None, None)
    rival = measure(name, labels, champion_scores, bar)
    rival_drawn = draw_metric(name, draws, labels, champion_scores, bar)
    if name not in HIGHER_IS_BETTER:
        return MetricResult(result, estimate(rival, rival_drawn, draws, confidence, within), None)
    difference = float(gain(name, own, rival))
    return MetricResult(
        result,
        estimate(rival, rival_drawn, draws, confidence, within),
        estimate(difference, gain(name, own_drawn, rival_drawn), draws, confidence),
    )
