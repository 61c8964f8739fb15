"""A contract and reports small enough to judge by hand, and rows on which two models differ."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.records import (
    Confusion,
    Estimate,
    EvaluationReport,
    MetricResult,
    ResourceUse,
)
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.data import tiny

GOOD_USE = ResourceUse(
    load_seconds=0.5,
    single_row_p50_ms=0.1,
    single_row_p99_ms=0.3,
    rows_per_second=50_000,
    peak_mib=120,
    bundle_mib=0.5,
    largest_difference=0.0,
    refuses_bad_input=True,
)
MARGIN = {"metric": "log_loss", "margin": 0.01, "cap": 0.15}
FLOOR = {"metric": "roc_auc", "at_least": 0.6}


def contract(*criteria: Mapping[str, Any], resamples: int = 200, **parts: Any) -> ModelContract:
    """The visits' contract with these criteria."""
    acceptance = {"criteria": list(criteria or (FLOOR, MARGIN)), "resamples": resamples}
    return tiny.contract(acceptance=acceptance, **parts)


def report(
    *,
    auc: Estimate | None = None,
    gain: Estimate | None = None,
    first: bool = False,
    **changes: Any,
) -> EvaluationReport:
    """A report of good evidence, with changes: AUC 0.7 ± 0.02, log-loss gain 0.02 ± 0.01."""
    auc = auc or Estimate(0.7, 0.68, 0.72)
    gain = gain or Estimate(0.02, 0.01, 0.03)
    loss = Estimate(0.4, 0.39, 0.41)
    metrics = {
        "roc_auc": MetricResult(auc, None if first else auc, None if first else gain),
        "log_loss": MetricResult(loss, None if first else loss, None if first else gain),
    }
    whole = EvaluationReport(
        model="visits",
        candidate="trees",
        champion_version=None if first else "3",
        first_version=first,
        rows=1000,
        positives=250,
        groups=30,
        group_kind="day",
        rows_digest="0" * 64,
        confidence=0.9,
        resamples=200,
        seed=1,
        threshold=0.5,
        metrics=metrics,
        slices=(),
        fairness=(),
        resources=GOOD_USE,
        reliability=(),
        confusion=Confusion(1, 2, 3, 4),
        calibration_p=0.5,
        importance={},
        changes=(),
    )
    return replace(whole, **changes)


def rows(count: int = 1500, *, days: int = 30, seed: int = 0) -> tuple[LabelledRows, np.ndarray]:
    """Rows whose days share a shift, and the true probability of each."""
    chance = np.random.default_rng(seed)
    day = chance.integers(0, days, count)
    odds = chance.normal(size=count) * 1.5 + chance.normal(size=days)[day] * 0.5 - 0.5
    truth = 1 / (1 + np.exp(-odds))
    labels = (chance.random(count) < truth).astype(float)
    return LabelledRows(FeatureMatrix(("odds",), odds[:, None], (0,)), labels, day), truth


def evaluated(
    asked: ModelContract,
    scores: np.ndarray,
    champion: np.ndarray | None,
    *,
    cuts: Mapping[str, np.ndarray] | None = None,
    judged: LabelledRows | None = None,
    **changes: Any,
) -> EvaluationReport:
    """The report on `rows()`, with good resources."""
    return evaluate(
        asked,
        candidate="trees",
        rows=rows()[0] if judged is None else judged,
        cuts=cuts or {},
        scores=scores,
        champion_scores=champion,
        champion_version=None if champion is None else "3",
        resources=GOOD_USE,
        seed=7,
        **changes,
    )
