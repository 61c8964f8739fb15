"""Drift: whether the rows that are served still look like those that were trained on.

Evidently measures each column by the contract's method. Around it stand the guards that it lacks:
a smallest window, the share of missing values, categories that the reference never had, and the
noise of the statistic itself.
"""

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import DerivedFeature
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.distribution import shift
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring import evidently
from mlops_pipeline.monitoring.columns import effect_of, judge_column
from mlops_pipeline.monitoring.noise import limit_of, psi_noise
from mlops_pipeline.monitoring.records import DriftOutcome, DriftReport, DriftRow, Kind

PREDICTION = "(prediction)"


def judge_drift(
    contract: ModelContract,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    reference_scores: np.ndarray | None = None,
    current_scores: np.ndarray | None = None,
) -> tuple[DriftReport, bytes]:
    """The report, and Evidently's page for people (HTML; empty where nothing was measured).

    Args:
        reference: of `frames.feature_frame`: the rows that the version was trained on.
        current: of `frames.served`: the features of the rows that it answered.
        reference_scores: what the version answers on the reference; with `current_scores`, the
            predictions are watched, too.

    Raises:
        MonitoringError: a watched column is missing, or of a type that cannot be compared.
    """
    rows: tuple[DriftRow, ...] = ()
    prediction, page = None, b""
    short = _too_few(contract, reference, current)
    if short:
        outcome, reason = DriftOutcome.INCONCLUSIVE, short
    else:
        rows, page = _measure(contract, reference, current)
        if reference_scores is not None and current_scores is not None:
            prediction = judge_predictions(contract, reference_scores, current_scores)
        outcome, reason = _outcome(contract, rows, prediction)
    report = DriftReport(
        model=contract.name,
        outcome=outcome,
        reason=reason,
        rows=rows,
        prediction=prediction,
        n_reference=len(reference),
        n_current=len(current),
    )
    return report, page


def judge_predictions(
    contract: ModelContract, reference: np.ndarray, current: np.ndarray
) -> DriftRow:
    """The population stability index of the scores, in tenths of the reference.

    One number that moves with whatever the model attends to, and never with what it ignores.

    Raises:
        MonitoringError: a side has no scores, or one that is no number.
    """
    before, now = _scores("reference", reference), _scores("current", current)
    found = shift(before, now)
    threshold = contract.monitoring.prediction_psi
    limit = threshold + psi_noise(found.cells, len(before), len(now))
    reasons = (f"psi {found.psi:.3f} > {limit:.3f}",) if found.psi > limit else ()
    return DriftRow(
        column=PREDICTION,
        kind="number",
        method="psi",
        value=found.psi,
        threshold=threshold,
        limit=limit,
        drifted=bool(reasons),
        reasons=reasons,
        effect=effect_of("number", before, now),
        n_reference=len(before),
        n_current=len(now),
        null_reference=0.0,
        null_current=0.0,
        unseen=(),
        unseen_share=0.0,
    )


def _too_few(contract: ModelContract, reference: pd.DataFrame, current: pd.DataFrame) -> str | None:
    least = contract.monitoring.min_rows
    for which, frame in (("reference", reference), ("window", current)):
        if len(frame) < least:
            return f"the {which} has {len(frame)} rows < {least} (monitoring.min_rows)"
    return None


def _measure(
    contract: ModelContract, reference: pd.DataFrame, current: pd.DataFrame
) -> tuple[tuple[DriftRow, ...], bytes]:
    watched = contract.monitoring.drift
    for which, frame in (("reference", reference), ("window", current)):
        absent = [w.column for w in watched if w.column not in frame]
        if absent:
            raise MonitoringError(f"the {which} lacks the watched columns {', '.join(absent)}")
    kinds = {w.column: _kind(contract, w.column) for w in watched}
    limits = {
        w.column: limit_of(
            w.method, w.threshold, reference[w.column].dropna(), current[w.column].dropna()
        )
        for w in watched
        if reference[w.column].notna().any() and current[w.column].notna().any()
    }
    measured = evidently.measure(
        reference,
        current,
        [
            evidently.Watched(w.column, kinds[w.column], w.method, limits[w.column])
            for w in watched
            if w.column in limits
        ],
    )
    rows = tuple(
        judge_column(
            w,
            kinds[w.column],
            reference[w.column],
            current[w.column],
            value=measured.values.get(w.column),
            limit=limits.get(w.column),
        )
        for w in watched
    )
    return rows, measured.page


def _outcome(
    contract: ModelContract, rows: tuple[DriftRow, ...], prediction: DriftRow | None
) -> tuple[DriftOutcome, str]:
    needed = contract.monitoring.drifted_columns
    drifted = [row for row in rows if row.drifted]
    said = [f"{len(drifted)} of {len(rows)} columns drifted, {needed} are an incident"]
    said += [f"{row.column}: {', '.join(row.reasons)}; {row.effect}" for row in drifted]
    fires = len(drifted) >= needed
    if prediction is not None and prediction.drifted:
        fires = True
        said.append(f"predictions: {', '.join(prediction.reasons)}; {prediction.effect}")
    return (DriftOutcome.DRIFTED if fires else DriftOutcome.STEADY), "; ".join(said)


def _kind(contract: ModelContract, column: str) -> Kind:
    for feature in contract.features.columns:
        if feature.name == column and isinstance(feature, DerivedFeature):
            return feature.kind
    return "number"


def _scores(which: str, scores: np.ndarray) -> "pd.Series[float]":
    series = pd.Series(np.asarray(scores, dtype=np.float64))
    if series.empty or not np.isfinite(series.to_numpy()).all():
        raise MonitoringError(
            f"the {which} scores are {len(series)} values, or some are no numbers"
        )
    return series
