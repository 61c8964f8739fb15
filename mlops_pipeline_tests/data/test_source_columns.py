"""What a source's columns were, month by month, and how they changed."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlops_pipeline.data.numbered import last_number
from mlops_pipeline.data.source_columns import (
    COLUMNS,
    changes,
    history_of_columns,
    kinds_of,
    note_columns,
    noted_columns,
)


def test_a_column_is_of_the_kind_of_its_values_whatever_dtype_holds_them() -> None:
    at = pd.to_datetime(["2024-01-01", "2024-01-02"])
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "fraction": [1.0, np.nan],
            "objects": pd.Series([1, 2.5], dtype=object),
            "text": ["a", None],
            "category": pd.Categorical(["a", "b"]),
            "flag": [True, False],
            "at": at,
            "zoned": at.tz_localize("UTC"),
            "nothing": [None, None],
            "no_number": [np.nan, np.nan],
            "mixed": ["a", 1],
        }
    )
    assert kinds_of(frame) == {
        "whole": "number",
        "fraction": "number",
        "objects": "number",
        "text": "text",
        "category": "text",
        "flag": "flag",
        "at": "time",
        "zoned": "time in UTC",
        "nothing": "empty",
        "no_number": "empty",
        "mixed": "mixed-integer",
    }


def test_added_removed_and_retyped_columns_are_named_and_empty_ones_are_of_any_kind() -> None:
    before = {"at": "time", "gate": "text", "wind": "number", "rain": "empty"}
    now = {"at": "time", "gate": "number", "rain": "text", "tip": "number"}
    assert [str(change) for change in changes(before, now)] == [
        "gate retyped: was text, is number",
        "tip added (number)",
        "wind removed (number)",
    ]
    assert changes(now, now) == ()


def test_a_month_read_again_with_the_same_columns_is_noted_once(tmp_path: Path) -> None:
    for kinds in ({"at": "time"}, {"at": "time"}, {"at": "time", "tip": "number"}):
        note_columns(tmp_path, "visits", "2024-02", kinds)
    note_columns(tmp_path, "visits", "2024-01", {"at": "time"})
    assert last_number(tmp_path / COLUMNS / "visits" / "2024-02") == 2
    assert list(noted_columns(tmp_path, "visits")) == ["2024-01", "2024-02"]
    told = history_of_columns(tmp_path, "visits")
    assert [[str(change) for change in month.changes] for month in told] == [
        [],
        ["tip added (number)"],
    ]
    assert history_of_columns(tmp_path, "other") == ()
