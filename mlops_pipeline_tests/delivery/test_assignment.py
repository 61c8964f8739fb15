"""Who meets the candidate: reproducible, even, and never taken back by growth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.delivery.assignment import bucket, meets_candidate, units_for


def test_known_units_have_known_buckets():
    assert [bucket(unit, "rollout-1") for unit in ("ana", "bo", "")] == [853, 6477, 2736]


@given(st.text(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_growth_moves_nobody_back(unit: str, one: int, other: int):
    small, large = sorted((one, other))
    assert meets_candidate(unit, "s", small) <= meets_candidate(unit, "s", large)


@given(st.text())
def test_nobody_meets_weight_zero_and_everybody_the_whole(unit: str):
    assert not meets_candidate(unit, "s", 0)
    assert meets_candidate(unit, "s", 10_000)


def test_another_salt_exposes_other_units():
    one, other = (
        {n for n in range(4000) if meets_candidate(f"u{n}", salt, 1000)} for salt in ("a", "b")
    )
    assert len(one) == pytest.approx(400, abs=60)
    assert len(one & other) == pytest.approx(40, abs=25)


def test_probes_are_found_for_each_arm_where_it_has_any():
    assert all(meets_candidate(unit, "s", 100) for unit in units_for("s", 100, 3, candidate=True))
    assert not any(meets_candidate(u, "s", 9900) for u in units_for("s", 9900, 3, candidate=False))
    assert units_for("s", 0, 3, candidate=True) == ()
    assert units_for("s", 10_000, 3, candidate=False) == ()
