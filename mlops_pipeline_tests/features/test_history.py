from datetime import date

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import (
    add_counts,
    count_history,
    feature_snapshot,
    rates_as_of,
)
from mlops_pipeline_tests.data import tiny

CONTRACT = tiny.contract()


def test_rates_are_those_of_the_formula_by_hand() -> None:
    # Before 4 January, within 3 days: a has 3 rows and 2 positives, b has 2 and 1 (one without a
    # label), all have 5 and 3. The prior weighs 2.
    tables, defaults = rates_as_of(
        CONTRACT, count_history(CONTRACT, tiny.frame()), date(2024, 1, 4)
    )
    overall = 3 / 5
    assert tables["shop_3d"] == {
        "a": (2 + 2 * overall) / (3 + 2),
        "b": (1 + 2 * overall) / (2 + 2),
    }
    assert defaults == {"shop_3d": overall, "shop_hour_9d": overall}
    assert sorted(tables["shop_hour_9d"]) == ["a|10", "a|9", "b|11", "b|23"]
    assert tables["shop_hour_9d"]["a|9"] == (2 + 50 * overall) / (2 + 50)


def test_a_day_leaves_when_the_span_has_passed_it() -> None:
    history = count_history(CONTRACT, tiny.frame())
    tables, defaults = rates_as_of(CONTRACT, history, date(2024, 1, 5))
    assert defaults["shop_3d"] == 1 / 3  # 2, 3 and 4 January: v4 yes, v6 and v7 no
    assert tables["shop_3d"]["a"] == (1 + 2 / 3) / 4
    assert rates_as_of(CONTRACT, history, date(2024, 1, 8)) == (
        {"shop_3d": {}, "shop_hour_9d": tables_at(8)},
        {"shop_hour_9d": 3 / 6},
    )


def tables_at(day: int) -> dict[str, float]:
    history = count_history(CONTRACT, tiny.frame())
    return rates_as_of(CONTRACT, history, date(2024, 1, day))[0]["shop_hour_9d"]


def test_a_day_does_not_see_itself() -> None:
    history = count_history(CONTRACT, tiny.frame())
    assert rates_as_of(CONTRACT, history, date(2024, 1, 1)) == (
        {"shop_3d": {}, "shop_hour_9d": {}},
        {},
    )


def test_without_prior_weight_an_unseen_key_still_has_the_overall_rate() -> None:
    columns = [
        {**c, "prior_weight": 0} if c["kind"] == "history" else c
        for c in tiny.CONTRACT["features"]["columns"]
    ]
    contract = tiny.with_features(columns=columns)
    history = count_history(contract, tiny.frame())
    february = tiny.frame([("2024-01-04T09:00", "c", "v", 1.0, 1, 1.0)])
    assert compute_features(contract, february, history).column("shop_3d").tolist() == [3 / 5]


def test_the_first_day_has_no_rate_at_all() -> None:
    history = count_history(CONTRACT, tiny.frame())
    found = compute_features(CONTRACT, tiny.frame(), history).column("shop_3d")
    assert np.isnan(found[:3]).all()
    assert not np.isnan(found[3:7]).any()
    assert np.isnan(found[7])  # 1 February: nothing in the three days before


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    frame = tiny.frame()
    parts = [count_history(CONTRACT, frame.iloc[[i]]) for i in (5, 2, 7, 0, 1, 3, 6, 4)]
    whole = count_history(CONTRACT, frame)
    for day in pd.date_range("2024-01-01", "2024-02-15").date:
        assert rates_as_of(CONTRACT, add_counts(parts), day) == rates_as_of(CONTRACT, whole, day)


def test_the_days_that_are_counted_are_known() -> None:
    assert count_history(CONTRACT, tiny.frame()).days == (19723, 19754)
    assert count_history(CONTRACT, tiny.frame().assign(result=np.nan)).days is None


def test_counts_that_do_not_belong_together_are_not_added() -> None:
    shops = tiny.with_features(columns=tiny.CONTRACT["features"]["columns"][:5])
    two = [count_history(contract, tiny.frame()) for contract in (CONTRACT, shops)]
    with pytest.raises(ValueError, match="different feature definitions"):
        add_counts(two)
    with pytest.raises(ValueError, match="no counts to add"):
        add_counts([])


def test_a_snapshot_carries_the_rates_of_its_day_and_its_definition() -> None:
    history = count_history(CONTRACT, tiny.frame())
    snapshot = feature_snapshot(CONTRACT, history, date(2024, 1, 4))
    assert (snapshot.tables, snapshot.defaults) == rates_as_of(CONTRACT, history, date(2024, 1, 4))
    assert (snapshot.model, snapshot.as_of) == ("visits", date(2024, 1, 4))
