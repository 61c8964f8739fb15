"""From stored rows to what servers look up on one day."""

from datetime import date, datetime, timedelta
from pathlib import Path

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window, month_start
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import FeatureSnapshot, publish


def publish_as_of(
    contract: ModelContract, snapshots: Snapshots, folder: Path, as_of: date
) -> FeatureSnapshot:
    """The look-ups for rows of the day `as_of` stand in `folder`; they know the days before only.

    Raises:
        SourceError: a month of the days before is not stored.
    """
    reach = max((feature.days for feature in contract.history), default=1)
    midnight = datetime.combine(as_of, datetime.min.time())
    first = month_start(max(as_of - timedelta(days=reach), contract.source.first))
    whole = Window(first, month_start(midnight - timedelta(days=1), 1))
    stored = snapshots.commit(contract, whole)
    frame = snapshots.read(stored, Window(first, midnight))
    snapshot = feature_snapshot(contract, count_history(contract, frame), as_of)
    publish(folder, snapshot)
    return snapshot
