"""Drift: whether the rows that are served still look like those that were trained on.

Evidently measures each column by the contract's method. Around it stand the guards that it lacks:
a smallest window, the share of missing values, categories that the reference never had, the noise
of the statistic itself over all columns, and the question whether it matters: a column counts by
what the model gained by it. Values or requests that stay away are an outage, not a changed world.
"""

from collections.abc import Mapping, Sequence
from statistics import median

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
    importance: Mapping[str, float] | None = None,
    usual_rows: Sequence[int] = (),
    answered: float | None = None,
) -> tuple[DriftReport, bytes]:
    """The report, and Evidently's page for people (HTML; empty where nothing was measured).

    Args:
        reference: of `frames.feature_frame`: the rows that the version was trained on.
        current: of `frames.served`: the features of the rows that it answered.
        reference_scores: what the version answers on the reference; with `current_scores`, the
            predictions are watched, too.
        importance: share of each feature in what the model gained; without it, or where the model
            cannot say, every column matters.
        usual_rows: how many answers earlier windows had.
        answered: how many answers the current rows stand for, where the log left some out.

    Raises:
        MonitoringError: a watched column is missing, or of a type that cannot be compared.
    """
    rows: tuple[DriftRow, ...] = ()
    prediction, page = None, b""
    missed = _volume(contract, len(current) if answered is None else round(answered), usual_rows)
    short = _too_few(contract, reference, current)
    if missed:
        outcome, reason = DriftOutcome.OUTAGE, missed
    elif short:
        outcome, reason = DriftOutcome.INCONCLUSIVE, short
    else:
        weights = importance if importance and sum(importance.values()) > 0 else None
        rows, page = _measure(contract, reference, current, weights)
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
        importance=_weight([row for row in rows if row.drifted]) if rows else None,
        answered=answered,
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
    alone = contract.monitoring.false_alarms / _looked_at(contract)
    limit = threshold + psi_noise(found.cells, len(before), len(now), alone)
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


def _volume(contract: ModelContract, answers: int, usual_rows: Sequence[int]) -> str | None:
    if len(usual_rows) < 2:
        return None
    usual, drop = median(usual_rows), contract.monitoring.max_volume_drop
    if answers >= (1 - drop) * usual:
        return None
    return (
        f"the window has {answers} answers, {answers / usual - 1:.0%} of the usual "
        f"{usual:g}, tolerated {-drop:.0%} (monitoring.max_volume_drop)"
    )


def _looked_at(contract: ModelContract) -> int:
    """How many statistics share the false alarms: every column, and the predictions."""
    return len(contract.monitoring.drift) + 1


def _measure(
    contract: ModelContract,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    importance: Mapping[str, float] | None,
) -> tuple[tuple[DriftRow, ...], bytes]:
    watched = contract.monitoring.drift
    for which, frame in (("reference", reference), ("window", current)):
        absent = [w.column for w in watched if w.column not in frame]
        if absent:
            raise MonitoringError(f"the {which} lacks the watched columns {', '.join(absent)}")
    kinds = {w.column: _kind(contract, w.column) for w in watched}
    limits = {
        w.column: limit_of(
            w.method,
            w.threshold,
            reference[w.column].dropna(),
            current[w.column].dropna(),
            chance=contract.monitoring.false_alarms,
            columns=_looked_at(contract),
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
            importance=None if importance is None else importance.get(w.column, 0.0),
        )
        for w in watched
    )
    return rows, measured.page


def _outcome(
    contract: ModelContract, rows: tuple[DriftRow, ...], prediction: DriftRow | None
) -> tuple[DriftOutcome, str]:
    """Silence before change: where values stay away, everything else follows from that."""
    needed, least = contract.monitoring.drifted_columns, contract.monitoring.min_importance
    drifted = [row for row in rows if row.drifted]
    silent = [row for row in drifted if row.silent]
    said = [f"{len(drifted)} of {len(rows)} columns drifted, {needed} are an incident"]
    weight = _weight(drifted)
    if drifted and weight is not None:
        said.append(f"the model's reliance on them is {weight:.0%}, {least:.0%} matter")
    said += [f"{row.column}: {', '.join(row.reasons)}; {row.effect}" for row in drifted]
    if prediction is not None and prediction.drifted:
        said.append(f"predictions: {', '.join(prediction.reasons)}; {prediction.effect}")
    reason = "; ".join(said)
    if silent and _matters(_weight(silent), least):
        return DriftOutcome.OUTAGE, reason
    if prediction is not None and prediction.drifted:
        return DriftOutcome.DRIFTED, reason
    if not drifted or len(drifted) < needed:
        return DriftOutcome.STEADY, reason
    return (DriftOutcome.DRIFTED if _matters(weight, least) else DriftOutcome.HARMLESS), reason


def _weight(rows: Sequence[DriftRow]) -> float | None:
    """Share of the model that reads these columns; None where it cannot say."""
    known = [row.importance for row in rows if row.importance is not None]
    return sum(known) if len(known) == len(rows) else None


def _matters(weight: float | None, least: float) -> bool:
    return weight is None or (weight > 0 and weight >= least)


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
