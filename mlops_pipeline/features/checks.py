"""The checks of a feature matrix: nothing in it knows the outcome, and servers compute the same."""

from datetime import datetime

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import contrast, label
from mlops_pipeline.data.quality import CheckOutcome, CheckSpec
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.features.history import count_history
from mlops_pipeline.features.leakage import CERTAIN, SUSPECT, Leak, leakage_scan
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.parity import Mismatch, parity

SHOWN = 5
LEAKAGE = CheckSpec(
    "leakage",
    Severity.ERROR,
    "No feature alone, as it is, in cells or by its emptiness, tells "
    f"later labels with an area above {CERTAIN} under its ROC curve.",
)
LEAKAGE_WARN = CheckSpec(
    "leakage_warn",
    Severity.WARN,
    f"No feature alone does so above {SUSPECT}, unless the contract lists it as known_strong.",
)
PARITY = CheckSpec(
    "parity",
    Severity.ERROR,
    "Sampled rows, served from published look-ups, are the matrix's rows bit for bit.",
)
FEATURE_CHECKS = (LEAKAGE, LEAKAGE_WARN, PARITY)


def run_feature_checks(
    contract: ModelContract, frame: pd.DataFrame, matrix: FeatureMatrix, *, end: datetime
) -> tuple[CheckOutcome, ...]:
    """One outcome for each of `FEATURE_CHECKS`; `frame` and `matrix` have the same rows.

    `end` is where the snapshot ends: leaks are judged on the test's rows, learnt on those before.
    """
    split = plan_split(contract.splits, end)
    times = frame[contract.event_time]
    labels = contrast(label(contract, frame), contract.task)
    before = split.train.mask(times) | split.validation.mask(times)
    leaks = leakage_scan(matrix, labels, before, split.test.mask(times))
    allowed = contract.features.known_strong
    return (
        _leaking(LEAKAGE, leaks, CERTAIN, ()),
        _leaking(LEAKAGE_WARN, leaks, SUSPECT, allowed),
        _served(contract, frame, matrix),
    )


def _leaking(
    spec: CheckSpec, leaks: tuple[Leak, ...], limit: float, allowed: tuple[str, ...]
) -> CheckOutcome:
    judged = [leak for leak in leaks if leak.feature not in allowed]
    found = [leak for leak in judged if leak.most > limit]
    shown = found or judged[:1]
    summary = "; ".join(
        f"{leak.feature}: area {leak.most:.3f} alone (as it is {leak.raw:.3f}, in cells "
        f"{leak.binned:.3f}, emptiness {leak.empty:.3f}), limit {limit}"
        for leak in shown[:SHOWN]
    )
    return CheckOutcome(
        name=spec.name,
        severity=spec.severity,
        passed=not found,
        summary=summary or "no feature is judged",
        value=shown[0].most if shown else None,
        limit=limit,
        rows=tuple({"feature": leak.feature, "area": leak.most} for leak in leaks[:SHOWN]),
        aggregated={leak.feature: 1 for leak in found},
    )


def _served(contract: ModelContract, frame: pd.DataFrame, matrix: FeatureMatrix) -> CheckOutcome:
    if frame.empty:
        return _parity_outcome("there is no row to compare", 0, ())
    found = parity(contract, frame, matrix, count_history(contract, frame), seed=contract.seed)
    days = ", ".join(str(day) for day in found.days)
    what = f"{found.rows} rows of {days} are served as they were trained on"
    if found.mismatches:
        first = found.mismatches[0]
        what = (
            f"{len(found.mismatches)} values of {found.rows} rows differ; the first is "
            f"{first.feature} of row {first.row}: {first.offline} offline, {first.served} served"
        )
    return _parity_outcome(what, found.rows, found.mismatches)


def _parity_outcome(summary: str, rows: int, mismatches: tuple[Mismatch, ...]) -> CheckOutcome:
    names = [mismatch.feature for mismatch in mismatches]
    return CheckOutcome(
        name=PARITY.name,
        severity=PARITY.severity,
        passed=rows > 0 and not mismatches,
        summary=summary,
        value=float(len(mismatches)),
        limit=0.0,
        rows=tuple(
            {"row": m.row, "feature": m.feature, "offline": m.offline, "served": m.served}
            for m in mismatches[:SHOWN]
        ),
        aggregated={str(name): names.count(name) for name in np.unique(names)},
    )
