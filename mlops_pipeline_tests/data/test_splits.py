from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.contract.promises import Splits
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.errors import DataError

at = datetime.fromisoformat


def splits(**changes: object) -> Splits:
    return Splits.model_validate({"train_from": "2013-01-01", **changes})


def test_the_test_is_the_last_whole_month_and_validation_the_days_before() -> None:
    split = plan_split(splits(validation_days=14), at("2013-07-19T12:00:00"))
    assert (split.test.start, split.test.end) == (at("2013-06-01"), at("2013-07-01"))
    assert split.validation.start == at("2013-05-18")
    assert (split.train.start, split.train.end) == (at("2013-01-01"), at("2013-05-18"))


def test_on_the_first_of_a_month_the_month_before_is_over() -> None:
    assert plan_split(splits(), at("2013-07-01")).test.end == at("2013-07-01")


def test_an_aware_time_counts_as_local() -> None:
    aware = plan_split(splits(), datetime(2013, 7, 1, tzinfo=UTC))
    assert aware == plan_split(splits(), at("2013-07-01"))


@given(st.datetimes(at("2014-01-01"), at("2030-01-01")), st.integers(1, 6), st.integers(1, 90))
def test_windows_follow_each_other_and_none_reaches_the_future(
    as_of: datetime, months: int, validation: int
) -> None:
    split = plan_split(splits(test_months=months, validation_days=validation), as_of)
    assert split.train.end == split.validation.start
    assert split.validation.end == split.test.start
    assert split.validation.end - split.validation.start == timedelta(days=validation)
    assert split.test.end <= as_of
    assert len(split.test.months()) == months
    assert split.whole.covers(split.train)
    assert split.whole.covers(split.test)


def test_nothing_left_to_train_on_is_an_error_that_names_the_days() -> None:
    with pytest.raises(DataError, match="as of 2013-02-01, the test starts on 2013-01-01"):
        plan_split(splits(), at("2013-02-01"))
