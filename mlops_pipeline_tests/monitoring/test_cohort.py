"""A cohort is scored from the age that its own labels show, never before the contract's delay."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.monitoring.cohort import gather
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline_tests.monitoring.rows import MONDAY, parcels

END = MONDAY + timedelta(days=10)
ROWS = 400


def predictions() -> pd.DataFrame:
    times = pd.Timestamp(MONDAY) + pd.to_timedelta(
        np.linspace(0, 239 * 3600, ROWS).astype(int), unit="s"
    )
    return pd.DataFrame({"id": [f"p{n}" for n in range(ROWS)], "event_time": times})


def told(hours: float, *, sampled: float = 1.0, every: int = 1) -> list[LabelRecord]:
    found = []
    for name, time in zip(*[predictions()[c] for c in ("id", "event_time")], strict=True):
        event: datetime = time.to_pydatetime()
        found.append(LabelRecord(name, 1.0, event, event + timedelta(hours=hours), sampled))
    return found[::every]


def test_labels_that_keep_their_promise_are_scored_after_the_declared_delay() -> None:
    cohort = gather(parcels(), predictions(), told(3), end=END)
    assert (cohort.maturity_hours, cohort.as_of) == (24, END + timedelta(hours=24))
    assert cohort.rows["matured"].all()


def test_labels_that_are_slower_move_the_age() -> None:
    cohort = gather(parcels(), predictions(), told(72), end=END)
    assert cohort.maturity_hours == pytest.approx(72)
    assert cohort.rows["told"].all()


def test_what_was_known_then_can_be_asked_again() -> None:
    cohort = gather(parcels(), predictions(), told(72), end=END, as_of=END)
    assert cohort.as_of == END
    assert 0 < cohort.rows["told"].sum() < ROWS


def test_a_few_labels_teach_no_age() -> None:
    assert gather(parcels(), predictions(), told(72, every=9), end=END).maturity_hours == 24


def test_rows_count_by_the_inverse_of_their_chance_to_be_labelled() -> None:
    cohort = gather(parcels(), predictions(), told(3, sampled=0.25), end=END)
    assert set(cohort.rows["weight"]) == {4.0}


def test_a_sampled_log_weighs_its_records() -> None:
    answers = predictions().assign(rate=0.5)
    assert set(gather(parcels(), answers, told(3), end=END).rows["weight"]) == {2.0}
