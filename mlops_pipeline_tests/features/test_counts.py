from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.features.counts import MISSING, DailyCounts, key_codes
from mlops_pipeline.features.declared import key_text

KEYS = ("a", "b", "c", "d")
EVENTS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-5, 30), st.booleans()))


def counts_of(events: list[tuple[int, int, bool]]) -> DailyCounts:
    codes, day, positive = (
        np.array([event[i] for event in events], dtype=kind)
        for i, kind in enumerate((np.int64, np.int64, bool))
    )
    return DailyCounts.of_rows(KEYS, codes, day, positive)


def look_up(counts: DailyCounts, key: str, first: int, last: int) -> tuple[int, int]:
    code = counts.find([key], np.array([0]))
    rows, positives = counts.over_days(code, np.array([first]), np.array([last]))
    return int(rows[0]), int(positives[0])


def test_rows_are_counted_by_key_and_day() -> None:
    counts = counts_of([(0, 1, True), (0, 1, False), (0, 3, True), (2, 1, True), (-1, 1, True)])
    assert counts.texts == ("a", "c")
    assert counts.rows.tolist() == [2, 1, 1]
    assert look_up(counts, "a", 1, 3) == (2, 1)
    assert look_up(counts, "a", 1, 4) == (3, 2)
    assert look_up(counts, "b", -99, 99) == (0, 0)


@settings(deadline=None)
@given(EVENTS, st.sampled_from(KEYS), st.integers(-9, 40), st.integers(0, 20))
def test_a_span_of_days_is_the_sum_of_its_events(
    events: list[tuple[int, int, bool]], key: str, first: int, length: int
) -> None:
    inside = [
        positive
        for code, day, positive in events
        if code == KEYS.index(key) and first <= day < first + length
    ]
    found = look_up(counts_of(events), key, first, first + length)
    assert found == (len(inside), sum(inside))


@settings(deadline=None)
@given(EVENTS, EVENTS)
def test_added_counts_are_those_of_all_rows(
    one: list[tuple[int, int, bool]], other: list[tuple[int, int, bool]]
) -> None:
    added = DailyCounts.added([counts_of(one), counts_of(other)])
    whole = counts_of([*one, *other])
    assert added.texts == whole.texts
    for name in ("key", "day", "rows", "positives"):
        np.testing.assert_array_equal(getattr(added, name), getattr(whole, name))


def test_a_missing_key_counts_nothing() -> None:
    counts = counts_of([(0, 1, True)])
    rows, positives = counts.over_days(np.array([MISSING]), np.array([0]), np.array([9]))
    assert (rows[0], positives[0]) == (0, 0)


TEXTS = st.sampled_from(["x", "y", "x|6", "", None])
NUMBERS = st.sampled_from([6.0, -0.0, 0.0, 0.5, float("nan")])


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, NUMBERS), min_size=1))
def test_the_keys_of_many_rows_are_those_of_each(rows: list[tuple[str | None, float]]) -> None:
    values = {
        "shop": np.array([shop for shop, _ in rows], dtype=object),
        "hour": np.array([hour for _, hour in rows]),
    }
    texts, codes = key_codes(values, ("shop", "hour"), len(rows))
    found = [texts[code] if code != MISSING else None for code in codes]
    assert found == [key_text(row) for row in rows]
    assert max(Counter(texts).values(), default=1) == 1


@pytest.mark.parametrize("rows", [0, 3])
def test_the_key_of_no_parts_is_every_row_s(rows: int) -> None:
    texts, codes = key_codes({}, (), rows)
    assert texts == [""]
    assert codes.tolist() == [0] * rows
