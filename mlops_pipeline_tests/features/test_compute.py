"""The two promises of this room: a row sees only the days before it, and served equals offline."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.data.labels import days
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.row import RowFeatures
from mlops_pipeline_tests.data import tiny

CONTRACT = tiny.contract()
ROWS = st.tuples(
    st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-14")),
    st.sampled_from(["a", "b", "c", "unknown", None]),
    st.sampled_from(["v1", "v2"]),
    st.none() | st.floats(-100, 100),
    st.integers(1, 9),
    st.sampled_from([-1.0, 1.0, None]),
)
FRAMES = st.lists(ROWS, min_size=1, max_size=25)


def features(frame: pd.DataFrame) -> FeatureMatrix:
    return compute_features(CONTRACT, frame, count_history(CONTRACT, frame))


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


def test_the_matrix_is_in_the_contract_s_order() -> None:
    matrix = features(tiny.frame())
    assert matrix.names == ("shop", "hour", "each", "amount", "shop_3d", "shop_hour_9d")
    assert matrix.cardinalities == (3, 0, 0, 0, 0, 0)
    assert matrix.values[6].tolist() == [0, 9, 10, 70, 0.64, (2 + 50 * 0.6) / 52]


def test_rows_stay_in_the_frame_s_order() -> None:
    frame = tiny.frame()
    turned = frame.iloc[::-1]
    history = count_history(CONTRACT, frame)
    forward = compute_features(CONTRACT, frame, history)
    assert same_bits(
        compute_features(CONTRACT, turned, history).values,
        np.ascontiguousarray(forward.values[::-1]),
    )


@settings(deadline=None)
@given(FRAMES, ROWS, st.data())
def test_changing_a_row_moves_no_feature_of_its_day_or_before(
    rows: list[tuple[Any, ...]], new: tuple[Any, ...], data: st.DataObject
) -> None:
    frame = tiny.raw(rows)
    at = data.draw(st.integers(0, len(rows) - 1), label="changed row")
    day = rows[at][0].date()
    other = (new[0].combine(day, new[0].time()), *new[1:])
    changed = tiny.raw([*rows[:at], other, *rows[at + 1 :]])
    before, after = features(frame), features(changed)
    kept = (frame["at"].dt.date <= day).to_numpy()
    kept[at] = False
    assert same_bits(before.values[kept], after.values[kept])


@settings(deadline=None)
@given(FRAMES, FRAMES)
def test_later_rows_move_no_feature(
    rows: list[tuple[Any, ...]], more: list[tuple[Any, ...]]
) -> None:
    frame = tiny.raw(rows)
    last = frame["at"].max().normalize()
    later = [((pd.Timestamp(row[0]) - pd.Timestamp("2024-01-01") + last), *row[1:]) for row in more]
    longer = tiny.raw([*rows, *later])
    assert same_bits(features(longer).values[: len(frame)], features(frame).values)


@settings(deadline=None)
@given(FRAMES)
def test_a_served_row_is_the_offline_row_bit_for_bit(rows: list[tuple[Any, ...]]) -> None:
    # A missing shop is refused in service, so that it is unknown here.
    frame = tiny.frame([(row[0], row[1] or "unknown", *row[2:]) for row in rows])
    history = count_history(CONTRACT, frame)
    matrix = compute_features(CONTRACT, frame, history)
    serve = RowFeatures(CONTRACT)
    for position, request in enumerate(frame.to_dict("records")):
        at = request["at"].to_pydatetime()
        snapshot = feature_snapshot(CONTRACT, history, at.date())
        for told in (at.isoformat(), at):
            vector = serve.vector({**request, "at": told}, snapshot)
            assert same_bits(np.frombuffer(vector), matrix.values[position])


def test_history_of_later_days_changes_nothing() -> None:
    frame = tiny.frame()
    first = frame[days(CONTRACT, frame) <= 19724]
    history = count_history(CONTRACT, frame)
    assert same_bits(
        compute_features(CONTRACT, first, history).values,
        features(first).values,
    )


def test_an_unknown_category_is_missing_or_refused_as_the_contract_says() -> None:
    frame = tiny.frame().assign(shop="zz")
    assert np.isnan(features(frame).column("shop")).all()
    strict = tiny.with_features(unknown_category="reject")
    with pytest.raises(FeatureError, match=r"'zz' is not one of a, b, c \(8 such rows\)"):
        compute_features(strict, frame, count_history(strict, frame))


def test_a_text_where_a_number_is_declared_is_a_feature_error() -> None:
    contract = tiny.with_features(function="mlops_pipeline_tests.features.functions:gives_text")
    with pytest.raises(FeatureError, match="feature each holds texts"):
        compute_features(contract, tiny.frame(), count_history(contract, tiny.frame()))


def test_a_frame_without_rows_is_a_matrix_without_rows() -> None:
    empty = tiny.frame().head(0)
    assert compute_features(CONTRACT, empty, count_history(CONTRACT, empty)).values.shape == (0, 6)
