"""A cohort: the predictions of a window with everything that is known of them, and since when.

Which of them are old enough to be scored is learnt from the delays of the labels themselves, and is
never earlier than the contract's `label_delay_hours`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import within_limits
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring.labels import LabelRecord, by_prediction
from mlops_pipeline.monitoring.maturity import MaturityCurve, learn_maturity

LEAST_DELAYS = 100  # fewer labels say nothing about the tail of the delays
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Predictions joined with their labels as of the moment at which all of them are mature."""

    rows: pd.DataFrame  # of `join_labels`
    as_of: datetime
    maturity_hours: float
    curve: MaturityCurve


def gather(
    contract: ModelContract,
    predictions: pd.DataFrame,
    labels: Sequence[LabelRecord],
    *,
    end: datetime,
    as_of: datetime | None = None,
) -> Cohort:
    """The window's predictions with their labels.

    Args:
        end: of the window; without `as_of` the cohort is seen once its last row is mature.
        as_of: what was known then.
    """
    seen = as_of or max([end + declared(contract), *(record.label_time for record in labels)])
    curve = maturity_of(predictions, [r for r in labels if r.label_time <= seen], seen)
    hours = mature_after(contract, curve)
    moment = as_of or end + timedelta(hours=hours)
    rows = join_labels(contract, predictions, labels, moment, maturity_hours=hours)
    return Cohort(rows, moment, hours, curve)


def declared(contract: ModelContract) -> timedelta:
    """How long a label takes, as the contract says."""
    return timedelta(hours=contract.target.label_delay_hours)


def mature_after(contract: ModelContract, curve: MaturityCurve) -> float:
    """Hours until a prediction is scored: the contract's, or longer where labels are slower."""
    learnt = curve.age(contract.monitoring.maturity) if curve.told >= LEAST_DELAYS else None
    return max(contract.target.label_delay_hours, learnt or 0.0)


def maturity_of(
    predictions: pd.DataFrame, labels: Sequence[LabelRecord], as_of: datetime
) -> MaturityCurve:
    """The curve that these predictions show at `as_of`."""
    first = {name: known.first_known for name, known in by_prediction(labels).items()}
    events = [time.to_pydatetime() for time in predictions["event_time"].dt.floor("us")]
    ages = np.array([(as_of - event) / HOUR for event in events], dtype=np.float64)
    delays = np.array(
        [
            (first[name] - event) / HOUR if name in first else np.nan
            for name, event in zip(predictions["id"], events, strict=True)
        ],
        dtype=np.float64,
    )
    return learn_maturity(ages, delays)


def join_labels(
    contract: ModelContract,
    predictions: pd.DataFrame,
    labels: Sequence[LabelRecord],
    as_of: datetime,
    *,
    maturity_hours: float | None = None,
) -> pd.DataFrame:
    """Every prediction with what is known of it at `as_of`: a missing label stays visible.

    Adds `label` (as a model learns it, or NaN), `told` (a label record is there, be it "none"),
    `corrected`, `weight` (one over the probability with which it left a record and was chosen for
    a label) and `matured` (its event is at least `maturity_hours` ago; without them the contract's
    label delay).

    Raises:
        MonitoringError: a label is the place of no class.
    """
    known = by_prediction(record for record in labels if record.label_time <= as_of)
    told = [known.get(name) for name in predictions["id"]]
    joined = predictions.copy()
    came = np.array(
        [np.nan if one is None or one.current is None else one.current for one in told],
        dtype=np.float64,
    )
    joined["label"] = _sound(contract, came)
    joined["told"] = np.array([one is not None for one in told], dtype=bool)
    joined["corrected"] = np.array(
        [one is not None and one.corrections > 0 for one in told], dtype=bool
    )
    chosen = np.array([1.0 if one is None else one.sampled for one in told], dtype=np.float64)
    kept = joined["rate"].to_numpy(np.float64) if "rate" in joined else np.ones(len(joined))
    joined["weight"] = 1 / (chosen * kept)
    delay = declared(contract) if maturity_hours is None else timedelta(hours=maturity_hours)
    joined["matured"] = (joined["event_time"] <= as_of - delay).to_numpy(dtype=bool)
    return joined


def _sound(contract: ModelContract, came: np.ndarray) -> np.ndarray:
    """Labels as a model learns them."""
    count = len(contract.classes)
    odd = came[~np.isnan(came) & (came >= count)] if count else came[:0]
    if len(odd):
        names = ", ".join(f"{code} {name}" for code, name in enumerate(contract.classes))
        raise MonitoringError(f"the label {odd[0]:g} is the place of no class; they are {names}")
    return within_limits(contract, came)
