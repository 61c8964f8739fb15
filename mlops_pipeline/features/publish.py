"""From stored rows to what servers look up on one day."""

from datetime import date, datetime, timedelta
from pathlib import Path

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window, month_start
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import FeatureSnapshot, publish


def publish_as_of(
    contract: ModelContract, snapshots: Snapshots, folder: Path, as_of: date
) -> FeatureSnapshot:
    """The look-ups for rows of the day `as_of` stand in `folder`: they know the labels of the days
    before that are all known when `as_of` begins.

    Raises:
        SourceError: a month of the days before is not stored.
        FeatureError: no label can be known on that day.
    """
    reach = max((feature.days for feature in contract.history), default=1)
    delay = timedelta(days=contract.target.delay_days)
    midnight = datetime.combine(as_of, datetime.min.time()) - delay
    begin = midnight.date() - timedelta(days=reach)
    first = month_start(max(begin, contract.source.first))
    if midnight <= first:
        raise FeatureError(
            f"{contract.name}: on {as_of} no label is known yet; rows begin on "
            f"{contract.source.first}, and labels come within {delay.days} days"
        )
    whole = Window(first, month_start(midnight - timedelta(days=1), 1))
    stored = snapshots.commit(contract, whole)
    frame = snapshots.read(stored, Window(first, midnight))
    snapshot = feature_snapshot(contract, count_history(contract, frame), as_of)
    publish(folder, snapshot)
    return snapshot
