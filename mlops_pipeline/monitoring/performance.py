"""Live performance: what served answers were worth, once their labels had time to arrive.

Labels come late, and not evenly: bad news is often known first. So only predictions that are old
enough are scored, all of them, and what has no label yet is counted beside the result. Beside each
realised metric stands what the scores alone had promised, so that the promise is itself watched.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.evaluation.records import Estimate, finite
from mlops_pipeline.evaluation.slices import positives_of
from mlops_pipeline.monitoring.estimate import Calibration, expect
from mlops_pipeline.monitoring.live import BoundFinding, LivePerformance, PerformanceOutcome
from mlops_pipeline.monitoring.scoring import Scoring


def judge_performance(
    contract: ModelContract,
    joined: pd.DataFrame,
    *,
    version: str,
    as_of: datetime,
    features: pd.DataFrame | None = None,
    released: Mapping[str, float] | None = None,
    calibration: Calibration | None = None,
) -> LivePerformance:
    """What the matured, labelled answers of `version` are worth, with intervals.

    Args:
        joined: of `join_labels`; rows of other versions are left out.
        features: of the same rows; without them no slice is cut.
        released: the metrics at the release; without them nothing can be called degraded.
        calibration: of the version's scores; without it nothing is estimated.

    Raises:
        MonitoringError: a column of `join_labels` is missing.
    """
    _require_joined(joined)
    own = joined[joined["version"] == version]
    matured = own[own["matured"]]
    scored = matured[matured["label"].notna()]
    missing = int((~matured["told"]).sum())
    trusted, reason = _trust(contract, len(matured), len(scored), missing)
    scoring = Scoring.of(contract, scored)
    metrics = scoring.metrics()
    bounds = tuple(_bounds(contract, metrics, released or {}))
    times = own["event_time"]
    scores = own["score"].to_numpy(dtype=np.float64)
    kept = 1 / own["rate"].to_numpy(np.float64) if "rate" in own else None  # labelled or not
    outcome = _outcome(contract, trusted, len(matured), missing, bounds)
    if trusted and bounds:
        reason = "; ".join([reason, *(bound.text for bound in bounds)])
    return LivePerformance(
        model=contract.name,
        version=version,
        start=None if own.empty else times.min().isoformat(),
        end=None if own.empty else times.max().isoformat(),
        as_of=as_of.isoformat(),
        predictions=len(own),
        matured=len(matured),
        labelled=len(scored),
        without_label=int((matured["told"] & matured["label"].isna()).sum()),
        missing=missing,
        corrected=int(scored["corrected"].sum()),
        positives=positives_of(contract, scored["label"].to_numpy(dtype=np.float64)),
        metrics=metrics,
        trusted=trusted,
        reason=reason,
        outcome=outcome,
        estimated=None if calibration is None else _expected(contract, calibration, scores, kept),
        bounds=bounds,
        slices=() if features is None else tuple(scoring.slices(features.loc[scored.index])),
    )


def _expected(
    contract: ModelContract, calibration: Calibration, scores: np.ndarray, kept: np.ndarray | None
) -> dict[str, float]:
    """Of classes, only how many answers are right: the scores are the chances of the answers."""
    chances = calibration(scores)
    if contract.kind.counts_yes:
        return expect(scores, chances, contract.bar, kept)
    return {"accuracy": float(np.average(chances, weights=kept))} if len(scores) else {}


def _bounds(
    contract: ModelContract, metrics: Mapping[str, Estimate], released: Mapping[str, float]
) -> list[BoundFinding]:
    found = []
    for bound in contract.monitoring.performance:
        live, was = metrics[bound.metric], finite(released.get(bound.metric, float("nan")))
        if was is None or live.low is None or live.high is None:
            continue
        better = HIGHER_IS_BETTER[bound.metric]
        limit, seen = (was - bound.margin, live.high) if better else (was + bound.margin, live.low)
        broken = seen < limit if better else seen > limit
        sign = {(True, True): "<", (True, False): ">=", (False, True): ">", (False, False): "<="}
        text = (
            f"{bound.metric} {live.value:.3f} [{live.low:.3f}, {live.high:.3f}]: "
            f"{seen:.3f} {sign[better, broken]} {limit:.3f} "
            f"({was:.3f} at the release, margin {bound.margin:g})"
        )
        found.append(BoundFinding(bound.metric, was, bound.margin, live, broken, text))
    return found


def _outcome(
    contract: ModelContract,
    trusted: bool,
    matured: int,
    missing: int,
    bounds: tuple[BoundFinding, ...],
) -> PerformanceOutcome:
    if not trusted:
        enough = matured >= contract.monitoring.min_rows
        untold = enough and 1 - missing / matured < contract.monitoring.min_coverage
        return PerformanceOutcome.UNLABELLED if untold else PerformanceOutcome.UNKNOWN
    if any(bound.broken for bound in bounds):
        return PerformanceOutcome.DEGRADED
    return PerformanceOutcome.HEALTHY


def _trust(contract: ModelContract, matured: int, labelled: int, missing: int) -> tuple[bool, str]:
    least, coverage = contract.monitoring.min_rows, contract.monitoring.min_coverage
    if not matured:
        return False, f"no prediction is {contract.target.label_delay_hours:g} hours old yet"
    covered = 1 - missing / matured
    if covered < coverage:
        return (
            False,
            f"{covered:.0%} of {matured} matured predictions are told of < {coverage:.0%} "
            "(monitoring.min_coverage)",
        )
    if labelled < least:
        return False, f"{labelled} matured labels < {least} (monitoring.min_rows)"
    return True, f"{labelled} matured labels, {covered:.0%} of {matured} predictions told of"


def _require_joined(joined: pd.DataFrame) -> None:
    needed = {"version", "event_time", "score", "label", "told", "corrected", "matured"}
    absent = sorted(needed - set(joined.columns))
    if absent:
        raise MonitoringError(f"columns {absent} are missing: pass the frame of join_labels")
