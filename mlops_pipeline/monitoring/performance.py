"""Live performance: what served answers were worth, once their labels had time to arrive.

Labels come late, and not evenly: bad news is often known first. So only predictions that are old
enough are scored, all of them, and what has no label yet is counted beside the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric, estimate
from mlops_pipeline.evaluation.metrics import METRICS, measure
from mlops_pipeline.evaluation.records import Estimate
from mlops_pipeline.monitoring.labels import LabelRecord, by_prediction

MIN_COVERAGE = 0.9  # of the matured predictions; below it the labels that came may not be typical


@dataclass(frozen=True, slots=True)
class LivePerformance:
    """One version's predictions in one window, and what their labels say."""

    model: str
    version: str
    start: str | None  # first and last event time
    end: str | None
    as_of: str
    predictions: int
    matured: int  # old enough for their label to be here
    labelled: int  # of the matured
    without_label: int  # of the matured: known never to get one
    missing: int  # of the matured: not told
    corrected: int  # of the labelled
    positives: int
    metrics: dict[str, Estimate]
    trusted: bool  # enough rows, and enough of them labelled
    reason: str

    @property
    def coverage(self) -> float | None:
        """Share of the matured predictions of which it is known what happened."""
        return 1 - self.missing / self.matured if self.matured else None


def join_labels(
    contract: ModelContract,
    predictions: pd.DataFrame,
    labels: Sequence[LabelRecord],
    as_of: datetime,
) -> pd.DataFrame:
    """Every prediction with what is known of it at `as_of`: a missing label stays visible.

    Adds `label` (1, 0 or NaN), `told` (a label record is there, be it "none"), `corrected` and
    `matured` (its event is at least the contract's label delay ago).
    """
    known = by_prediction(record for record in labels if record.label_time <= as_of)
    told = [known.get(name) for name in predictions["id"]]
    joined = predictions.copy()
    joined["label"] = np.array(
        [np.nan if one is None or one.current is None else one.current for one in told],
        dtype=np.float64,
    )
    joined["told"] = np.array([one is not None for one in told], dtype=bool)
    joined["corrected"] = np.array(
        [one is not None and one.corrections > 0 for one in told], dtype=bool
    )
    delay = timedelta(hours=contract.target.label_delay_hours)
    joined["matured"] = (joined["event_time"] <= as_of - delay).to_numpy(dtype=bool)
    return joined


def judge_performance(
    contract: ModelContract, joined: pd.DataFrame, *, version: str, as_of: datetime
) -> LivePerformance:
    """What the matured, labelled answers of `version` are worth, with intervals.

    Args:
        joined: of `join_labels`; rows of other versions are left out.

    Raises:
        MonitoringError: a column of `join_labels` is missing.
    """
    _require_joined(joined)
    own = joined[joined["version"] == version]
    matured = own[own["matured"]]
    scored = matured[matured["label"].notna()]
    missing = int((~matured["told"]).sum())
    trusted, reason = _trust(contract, len(matured), len(scored), missing)
    times = own["event_time"]
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
        positives=int(scored["label"].sum()),
        metrics=_metrics(contract, scored),
        trusted=trusted,
        reason=reason,
    )


def _metrics(contract: ModelContract, scored: pd.DataFrame) -> dict[str, Estimate]:
    """Every metric with its interval, by the same arithmetic as before the release."""
    if scored.empty:
        return dict.fromkeys(METRICS, Estimate(None, None, None))
    bounds = contract.acceptance
    labels = scored["label"].to_numpy(dtype=np.float64)
    scores = scored["score"].to_numpy(dtype=np.float64)
    days = scored["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    groups = days if contract.splits.group == "day" else np.arange(len(scored))
    draws = draw_groups(groups, resamples=bounds.resamples, seed=contract.seed)
    return {
        name: estimate(
            measure(name, labels, scores, bounds.threshold),
            draw_metric(name, draws, labels, scores, bounds.threshold),
            draws.groups,
            bounds.confidence,
        )
        for name in METRICS
    }


def _trust(contract: ModelContract, matured: int, labelled: int, missing: int) -> tuple[bool, str]:
    least = contract.monitoring.min_rows
    if not matured:
        return False, f"no prediction is {contract.target.label_delay_hours:g} hours old yet"
    covered = 1 - missing / matured
    if covered < MIN_COVERAGE:
        return False, f"{covered:.0%} of {matured} matured predictions are told of < 90%"
    if labelled < least:
        return False, f"{labelled} matured labels < {least} (monitoring.min_rows)"
    return True, f"{labelled} matured labels, {covered:.0%} of {matured} predictions told of"


def _require_joined(joined: pd.DataFrame) -> None:
    needed = {"version", "event_time", "score", "label", "told", "corrected", "matured"}
    absent = sorted(needed - set(joined.columns))
    if absent:
        raise MonitoringError(f"columns {absent} are missing: pass the frame of join_labels")
