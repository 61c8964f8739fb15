"""Live performance scores every answer that is old enough, and shows what has no label."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.evaluation.records import Estimate
from mlops_pipeline.monitoring.cohort import join_labels
from mlops_pipeline.monitoring.frames import served
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.monitoring.live import LivePerformance
from mlops_pipeline.monitoring.performance import judge_performance
from mlops_pipeline_tests.monitoring.rows import MONDAY, parcels, request

DAY = timedelta(days=1)
CONTRACT = parcels(min_rows=50)
SCORES = (0.1, 0.9, 0.4, 0.6)


def answers(count: int) -> pd.DataFrame:
    """One a day from Monday, with the scores in turn."""
    return served(CONTRACT, [request(n, score=SCORES[n % 4]) for n in range(count)]).answers


def told(number: int, label: float | None, days_later: float = 1) -> LabelRecord:
    """The label of the answer of that day."""
    event = MONDAY + number * DAY
    return LabelRecord(f"parcel-{number}", label, event, event + days_later * DAY)


def judged(predictions: pd.DataFrame, labels: list[LabelRecord], *, day: float) -> LivePerformance:
    """Of version 1, so many days after Monday."""
    as_of = MONDAY + day * DAY
    joined = join_labels(CONTRACT, predictions, labels, as_of)
    return judge_performance(CONTRACT, joined, version="1", as_of=as_of)


def test_a_prediction_without_a_label_stays_visible() -> None:
    joined = join_labels(CONTRACT, answers(2), [told(1, 1.0)], MONDAY + 9 * DAY)
    assert joined["id"].tolist() == ["parcel-0", "parcel-1"]
    assert joined["told"].tolist() == [False, True]
    assert joined["label"].isna().tolist() == [True, False]


def test_a_label_of_the_future_is_not_known() -> None:
    joined = join_labels(CONTRACT, answers(1), [told(0, 1.0, 5)], MONDAY + 4 * DAY)
    assert joined["told"].tolist() == [False]


def test_a_correction_replaces_the_label_and_is_counted() -> None:
    found = judged(answers(1), [told(0, 0.0, 1), told(0, 1.0, 2)], day=3)
    assert (found.labelled, found.positives, found.corrected) == (1, 1, 1)


def test_only_what_is_old_enough_is_scored() -> None:
    labels = [told(n, 1.0, 0.25) for n in range(10)]
    found = judged(answers(10), labels, day=9)
    assert (found.predictions, found.matured, found.labelled) == (10, 9, 9)


def test_missing_labels_and_rows_that_get_none_are_told_apart() -> None:
    found = judged(answers(4), [told(0, 1.0), told(1, None)], day=9)
    assert (found.matured, found.labelled, found.without_label, found.missing) == (4, 1, 1, 2)
    assert found.coverage == 0.5
    assert not found.trusted
    assert found.reason == (
        "50% of 4 matured predictions are told of < 90% (monitoring.min_coverage)"
    )


def test_metrics_are_those_of_the_evaluation() -> None:
    labels = [told(n, float(SCORES[n % 4] > 0.5)) for n in range(80)]
    found = judged(answers(80), labels, day=99)
    assert found.metrics["roc_auc"] == Estimate(1.0, 1.0, 1.0)
    brier = found.metrics["brier"]
    assert brier.value == pytest.approx((0.01 + 0.01 + 0.16 + 0.16) / 4)
    assert brier.low is not None
    assert brier.high is not None
    assert brier.low < brier.value < brier.high
    assert found.trusted
    assert found.reason == "80 matured labels, 100% of 80 predictions told of"


def test_few_labels_give_a_number_that_is_not_trusted() -> None:
    found = judged(answers(20), [told(n, float(n % 2)) for n in range(20)], day=99)
    assert found.metrics["brier"].value is not None
    assert (found.trusted, found.reason) == (False, "20 matured labels < 50 (monitoring.min_rows)")


def test_without_labels_every_metric_is_undefined() -> None:
    found = judged(answers(4), [], day=0.5)
    assert set(found.metrics.values()) == {Estimate(None, None, None)}
    assert (found.trusted, found.coverage) == (False, None)
    assert found.reason == "no prediction is 24 hours old yet"


def test_each_version_is_judged_by_its_own_answers() -> None:
    records = [request(n, version="1" if n < 3 else "2") for n in range(10)]
    joined = join_labels(CONTRACT, served(CONTRACT, records).answers, [], MONDAY + 99 * DAY)
    found = judge_performance(CONTRACT, joined, version="1", as_of=MONDAY + 99 * DAY)
    assert (found.predictions, found.start, found.end) == (
        3,
        "2024-03-04T00:00:00",
        "2024-03-06T00:00:00",
    )


def test_a_version_that_answered_nothing_is_reported_as_such() -> None:
    found = judged(answers(0), [], day=1)
    assert (found.predictions, found.start, found.trusted) == (0, None, False)


def test_the_order_of_labels_does_not_move_the_result() -> None:
    labels = [told(n, float(n % 3 == 0)) for n in range(60)]
    mixed = [labels[i] for i in np.random.default_rng(0).permutation(60)]
    assert judged(answers(60), labels, day=99) == judged(answers(60), mixed, day=99)


def test_a_frame_without_labels_is_refused() -> None:
    with pytest.raises(MonitoringError, match="pass the frame of join_labels"):
        judge_performance(CONTRACT, answers(1), version="1", as_of=MONDAY)


def test_a_version_is_degraded_only_where_the_whole_interval_lies_beyond_the_margin() -> None:
    chance = np.random.default_rng(3)
    scores = chance.random(800)
    labels = (chance.random(800) < scores) * 1.0
    joined = pd.DataFrame(
        {
            "version": "1",
            "event_time": pd.Timestamp(MONDAY) + pd.to_timedelta(np.arange(800), unit="h"),
            "score": scores,
            "label": labels,
            "told": True,
            "corrected": False,
            "matured": True,
        }
    )
    as_of = MONDAY + 60 * DAY
    for released, outcome in ((0.8, "healthy"), (0.84, "healthy"), (0.99, "degraded")):
        found = judge_performance(
            CONTRACT, joined, version="1", as_of=as_of, released={"roc_auc": released}
        )
        assert found.outcome == outcome, found.reason
    assert "at the release, margin 0.05" in found.reason
    assert found.metrics["cost"].value == pytest.approx(1 - found.metrics["accuracy"].value)  # type: ignore[operator]


def test_slices_are_cut_by_the_features_that_were_served() -> None:
    joined = join_labels(CONTRACT, answers(8), [told(n, n % 2 * 1.0) for n in range(8)], MONDAY)
    joined = join_labels(
        CONTRACT, answers(8), [told(n, n % 2 * 1.0) for n in range(8)], MONDAY + 30 * DAY
    )
    features = pd.DataFrame({"region": ["north"] * 5 + ["south"] * 3})
    found = judge_performance(
        CONTRACT, joined, version="1", as_of=MONDAY + 30 * DAY, features=features
    )
    assert [(s.value, s.rows, s.positives) for s in found.slices] == [
        ("north", 5, 2),
        ("south", 3, 2),
    ]
    assert found.slices[0].estimate.value is None  # fewer rows than the slice asks for
