import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.data.parts import decode_parts, encode_part, part_schema
from mlops_pipeline.data.sources import conform
from mlops_pipeline.errors import SnapshotCorrupt
from mlops_pipeline_tests.data import tiny

NUMBERS = st.floats(allow_nan=False) | st.none()
ROWS = st.lists(
    st.tuples(
        st.datetimes(pd.Timestamp("1900-01-01").to_pydatetime()).filter(lambda t: t.year < 2200),
        st.text() | st.none(),
        st.text(),
        NUMBERS,
        st.integers(-(2**52), 2**52),
        NUMBERS,
    ),
    min_size=1,
)


@settings(deadline=None)
@given(ROWS)
def test_rows_come_back_exactly(rows: list[tuple[object, ...]]) -> None:
    frame = tiny.frame(rows)
    content = encode_part(tiny.contract(), frame)
    pd.testing.assert_frame_equal(decode_parts([content]), frame)
    assert encode_part(tiny.contract(), frame.copy()) == content


def test_nanoseconds_signed_zeros_and_infinities_survive() -> None:
    frame = tiny.raw(tiny.ROWS[:3]).assign(amount=[-0.0, np.inf, np.nan])
    frame["at"] += pd.Timedelta(1, unit="ns")
    frame = conform(tiny.contract(), frame)
    back = decode_parts([encode_part(tiny.contract(), frame)])
    pd.testing.assert_frame_equal(back, frame)
    assert np.signbit(back["amount"][0])


def test_parts_follow_each_other() -> None:
    parts = [encode_part(tiny.contract(), tiny.frame([row])) for row in tiny.ROWS]
    pd.testing.assert_frame_equal(decode_parts(parts), tiny.frame())


def test_what_is_not_parquet_is_corrupt() -> None:
    with pytest.raises(SnapshotCorrupt, match="a part is not Parquet"):
        part_schema(b"no")
