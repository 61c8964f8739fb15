import numpy as np

from mlops_pipeline.data.labels import days, label, label_counts
from mlops_pipeline_tests.data import tiny


def test_a_label_is_one_above_the_bound_zero_up_to_it_and_missing_without_outcome() -> None:
    rows = [
        ("2024-01-01T00:00", "a", "v", 1.0, 1, result) for result in (0.1, 0.0, -5.0, None, np.inf)
    ]
    labels = label(tiny.contract(), tiny.raw(rows))
    assert labels.dtype == np.float64
    np.testing.assert_array_equal(labels, [1, 0, 0, np.nan, 1])


def test_counts_tell_labelled_unlabelled_and_positive_apart() -> None:
    counts = label_counts(tiny.contract(), tiny.frame())
    assert (counts.labelled, counts.unlabelled, counts.positive) == (7, 1, 4)
    assert counts.rate == 4 / 7


def test_without_a_label_there_is_no_rate() -> None:
    rows = [("2024-01-01T00:00", "a", "v", 1.0, 1, None)]
    assert label_counts(tiny.contract(), tiny.frame(rows)).rate is None


def test_a_day_is_counted_from_1970_and_ends_at_midnight() -> None:
    rows = [(at, "a", "v", 1.0, 1, 1.0) for at in ("1970-01-01T23:59", "1970-01-02T00:00")]
    numbers = days(tiny.contract(), tiny.frame(rows))
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [0, 1]
