"""Monitors read features as people do, and only what users were answered."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.monitoring.frames import feature_frame, served
from mlops_pipeline.serving.request_log import Arm, Outcome
from mlops_pipeline_tests.monitoring.rows import MONDAY, NOON, parcels, request


def test_a_matrix_becomes_texts_and_numbers() -> None:
    values = np.array([[0.0, 12.5, 0.25], [1.0, np.nan, 0.5], [np.nan, 3.0, np.nan]])
    matrix = FeatureMatrix(("region", "weight", "region_late"), values, (2, 0, 0))
    frame = feature_frame(parcels(), matrix)
    assert frame["region"].tolist() == ["north", "south", None]
    assert frame.dtypes.astype(str).tolist() == ["object", "float64", "float64"]
    assert frame["weight"].isna().tolist() == [False, True, False]


def test_an_answer_comes_back_with_its_features() -> None:
    found = served(parcels(), [request(0)])
    answer = found.answers.iloc[0]
    assert (answer["id"], answer["version"], answer["score"]) == ("parcel-0", "1", 0.25)
    assert (answer["at"], answer["event_time"]) == (pd.Timestamp(NOON), pd.Timestamp(MONDAY))
    assert found.features["region"].tolist() == ["south"]
    assert found.features["weight"].tolist() == [12.5]
    assert found.features["region_late"].isna().all()


def test_shadows_refusals_and_failures_are_no_answers() -> None:
    records = [
        request(0),
        request(1, arm=Arm.SHADOW),
        request(2, outcome=Outcome.INVALID, score=None, event_time=None, features={}),
        request(3, outcome=Outcome.ERROR, score=None, features={}),
    ]
    assert served(parcels(), records).answers["id"].tolist() == ["parcel-0"]


def test_of_a_request_sent_twice_the_first_answer_counts() -> None:
    late = request(0, at=NOON.timestamp() + 60, score=0.9)
    found = served(parcels(), [late, request(1), request(0)])
    assert found.answers["id"].tolist() == ["parcel-0", "parcel-1"]
    assert found.answers["score"].tolist() == [0.25, 0.25]


def test_a_window_and_a_version_select_rows_of_both_frames() -> None:
    records = [request(n, version="1" if n % 2 else "2", features={"weight": n}) for n in range(10)]
    window = Window(MONDAY, datetime_of(6))
    found = served(parcels(), records).within(window).of("1")
    assert found.answers["id"].tolist() == ["parcel-1", "parcel-3", "parcel-5"]
    assert found.features["weight"].tolist() == [1.0, 3.0, 5.0]
    assert len(found) == 3


def test_a_feature_that_was_left_out_of_the_log_is_missing() -> None:
    found = served(parcels(), [request(0, features={"weight": 1.0})])
    assert found.features["region"].tolist() == [None]


def test_no_requests_are_an_empty_frame_with_every_column() -> None:
    found = served(parcels(), [])
    assert len(found) == 0
    assert list(found.features) == ["region", "weight", "region_late"]
    assert len(found.within(Window(MONDAY, datetime_of(1)))) == 0


def datetime_of(day: int) -> datetime:
    """So many days after Monday."""
    return MONDAY + timedelta(days=day)
