"""Labels come later than their rows: a feature of a day reads only days whose labels are all in."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.history import count_history, feature_snapshot, rates_as_of
from mlops_pipeline.features.publish import publish_as_of
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import filled


def delayed(hours: float):  # type: ignore[no-untyped-def]
    return tiny.contract(target={**tiny.CONTRACT["target"], "label_delay_hours": hours})


@pytest.mark.parametrize(("hours", "days"), [(0, 0), (1, 1), (24, 1), (24.5, 2), (48, 2)])
def test_a_day_is_counted_once_its_last_label_can_be_known(hours: float, days: int) -> None:
    contract = delayed(hours)
    history = count_history(contract, tiny.frame())
    today = date(2024, 1, 4 + days)
    plain = rates_as_of(tiny.contract(), history, date(2024, 1, 4))
    assert rates_as_of(contract, history, today) == plain


def test_a_label_that_comes_later_moves_no_feature() -> None:
    contract = delayed(24)
    frame = tiny.frame()
    other = frame.copy()
    other.loc[(frame["at"].dt.date == date(2024, 1, 2)).to_numpy(), "result"] = -9.0
    before, after = (
        compute_features(contract, f, count_history(contract, f)) for f in (frame, other)
    )
    third = tiny.frame([("2024-01-03T09:00", "a", "w", 1.0, 1, None)])
    one, two = (
        compute_features(contract, third, count_history(contract, f)) for f in (frame, other)
    )
    assert one.values.tobytes() == two.values.tobytes()
    fourth = (frame["at"].dt.date == date(2024, 1, 4)).to_numpy()
    assert not np.array_equal(
        before.values[fourth], after.values[fourth], equal_nan=True
    )  # on the 4th they are known


def test_what_is_published_knows_no_later_label(tmp_path: Path) -> None:
    contract = delayed(24)
    snapshots = filled(tmp_path, contract)
    for day in (3, 4, 6):
        published = publish_as_of(contract, snapshots, tmp_path / "f", date(2024, 1, day))
        history = count_history(contract, tiny.frame())
        assert published == feature_snapshot(contract, history, date(2024, 1, day))
    with pytest.raises(FeatureError, match="on 2024-01-02 no label is known yet"):
        publish_as_of(contract, snapshots, tmp_path / "f", date(2024, 1, 2))


def test_the_delay_is_part_of_the_definition() -> None:
    digests = [definition_digest(delayed(hours)) for hours in (0, 20, 24, 30)]
    assert digests[1] == digests[2]
    assert len(set(digests)) == 3
