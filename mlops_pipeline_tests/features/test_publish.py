from datetime import date
from pathlib import Path

import pytest

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import newest
from mlops_pipeline.features.publish import publish_as_of
from mlops_pipeline_tests.data import tiny

CONTRACT = tiny.contract()


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    snapshots = Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")
    frame = tiny.frame()
    for key in ("2024-01", "2024-02"):
        snapshots.store_part(CONTRACT, key, frame[Window.of_month(key).mask(frame["at"])])
    return snapshots


@pytest.mark.parametrize("day", [2, 4, 5, 8, 31])
def test_what_is_published_is_what_training_sees_on_that_day(
    snapshots: Snapshots, tmp_path: Path, day: int
) -> None:
    as_of = date(2024, 1, day)
    published = publish_as_of(CONTRACT, snapshots, tmp_path / "features", as_of)
    assert published == feature_snapshot(CONTRACT, count_history(CONTRACT, tiny.frame()), as_of)
    assert newest(tmp_path / "features", published.definition) == published


def test_the_first_of_a_month_needs_no_row_of_that_month(
    snapshots: Snapshots, tmp_path: Path
) -> None:
    march = publish_as_of(CONTRACT, snapshots, tmp_path / "features", date(2024, 3, 1))
    assert march.tables == {"shop_3d": {}, "shop_hour_9d": {}}


def test_a_month_that_is_not_stored_is_named(snapshots: Snapshots, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no rows are stored for 2024-03"):
        publish_as_of(CONTRACT, snapshots, tmp_path / "features", date(2024, 3, 5))
