import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.evaluation.outcomes import (
    Outcome,
    against_bounds,
    against_champion,
    more_rows,
)
from mlops_pipeline.evaluation.records import Estimate

PASSES = {Outcome.SUPERIOR, Outcome.NON_INFERIOR}
DECIDED = {Outcome.SUPERIOR, Outcome.NON_INFERIOR, Outcome.INFERIOR, Outcome.MET, Outcome.MISSED}
values = st.floats(-1, 1)
widths = st.floats(0, 1)
shrunk = st.floats(0, 1)
margins = st.floats(0.001, 0.5)


def around(value: float, below: float, above: float) -> Estimate:
    """The interval of these widths around the value."""
    return Estimate(value, value - below, value + above)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.001, 0.03, Outcome.SUPERIOR),
        (-0.009, 0.03, Outcome.NON_INFERIOR),
        (-0.009, -0.001, Outcome.NON_INFERIOR),  # surely worse, and surely by less than allowed
        (-0.02, 0.03, Outcome.INCONCLUSIVE),
        (-0.02, -0.005, Outcome.INCONCLUSIVE),
        (-0.03, -0.011, Outcome.INFERIOR),
        (-0.01, 0.03, Outcome.INCONCLUSIVE),  # at the margin is not above it
    ],
)
def test_the_whole_interval_decides(low: float, high: float, outcome: Outcome) -> None:
    assert against_champion(Estimate((low + high) / 2, low, high), 0.01) is outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.6, 0.8, Outcome.MET),
        (0.59, 0.8, Outcome.INCONCLUSIVE),
        (0.5, 0.59, Outcome.MISSED),
        (0.6, 0.91, Outcome.INCONCLUSIVE),
        (0.91, 0.95, Outcome.MISSED),
    ],
)
def test_absolute_bounds_hold_for_the_whole_interval(
    low: float, high: float, outcome: Outcome
) -> None:
    assert against_bounds(Estimate((low + high) / 2, low, high), 0.6, 0.9) is outcome


@given(values, widths, widths, shrunk, shrunk, margins)
def test_an_interval_that_shrinks_only_becomes_more_decided(
    value: float, below: float, above: float, by: float, also: float, margin: float
) -> None:
    wide = against_champion(around(value, below, above), margin)
    narrow = against_champion(around(value, below * by, above * also), margin)
    if wide is Outcome.NON_INFERIOR:
        assert narrow in PASSES
    elif wide in DECIDED:
        assert narrow is wide


@given(values, widths, widths, shrunk, shrunk, values)
def test_an_absolute_bound_once_decided_stays_so(
    value: float, below: float, above: float, by: float, also: float, bound: float
) -> None:
    wide = against_bounds(around(value, below, above), bound, None)
    narrow = against_bounds(around(value, below * by, above * also), bound, None)
    assert narrow is wide or wide is Outcome.INCONCLUSIVE


@given(values, widths, widths, margins)
def test_swapping_the_roles_mirrors_the_outcome(
    value: float, below: float, above: float, margin: float
) -> None:
    outcome = against_champion(around(value, below, above), margin)
    mirrored = against_champion(Estimate(-value, -(value + above), -(value - below)), margin)
    if outcome is Outcome.INFERIOR:
        assert mirrored is Outcome.SUPERIOR
    if outcome is Outcome.SUPERIOR:
        assert mirrored is not Outcome.SUPERIOR
        assert (mirrored is Outcome.INFERIOR) == (value - below > margin)


@given(margins)
def test_the_champion_against_itself_is_never_inferior(margin: float) -> None:
    assert against_champion(Estimate(0.0, 0.0, 0.0), margin) is Outcome.NON_INFERIOR


@given(values, widths, margins, margins)
def test_a_wider_margin_never_turns_a_pass_into_a_failure(
    value: float, width: float, margin: float, more: float
) -> None:
    found = around(value, width, width)
    if against_champion(found, margin) in PASSES:
        assert against_champion(found, margin + more) in PASSES


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_was_not_measured_is_missing(value: float | None) -> None:
    found = Estimate(value, value, value)
    assert against_champion(found, 0.01) is Outcome.MISSING
    assert against_bounds(found, 0.5, None) is Outcome.MISSING


def test_a_value_without_an_interval_proves_nothing() -> None:
    found = Estimate(0.9, None, None)
    assert against_champion(found, 0.01) is Outcome.INCONCLUSIVE
    assert against_bounds(found, 0.5, None) is Outcome.INCONCLUSIVE


def test_half_the_distance_takes_four_times_the_rows() -> None:
    # the interval reaches 0.02 down, the bound lies 0.01 down: 4 x 1000 rows, so 3000 more
    assert more_rows(around(0.0, 0.02, 0.05), -0.01, 1000) == 3000
    # from the other side, the upper half counts
    assert more_rows(around(-0.02, 0.5, 0.03), -0.01, 1000) == 8000


def test_rows_needed_are_rounded_up_to_two_digits() -> None:
    assert more_rows(around(0.0, 0.015, 0.015), -0.01, 1111) == 1400  # 1388.75


def test_a_value_at_its_bound_is_not_decided_by_rows() -> None:
    assert more_rows(around(-0.01, 0.02, 0.02), -0.01, 1000) is None
    assert more_rows(around(-0.0101, 0.02, 0.02), -0.01, 1000) is None
    assert more_rows(Estimate(0.1, None, None), -0.01, 1000) is None
