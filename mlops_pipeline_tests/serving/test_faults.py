import asyncio

import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.faults import Faults, FaultSpec, parse_faults


def struck(faults: Faults, unit: str, *, shadow: bool = False) -> bool:
    try:
        asyncio.run(faults.strike(unit, shadow=shadow))
    except ServingError:
        return True
    return False


def test_a_drill_is_written_as_words_and_numbers() -> None:
    assert parse_faults("error=0.3, delay_ms=200,after=50,shadow=1,deaf=1") == FaultSpec(
        error=0.3, delay_ms=200.0, after=50, shadow=True, deaf=True
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'' is none of error, delay_ms, after, shadow, deaf"),
        ("crash=1", "'crash' is none of"),
        ("error", "error needs a number, not ''"),
        ("error=2", "error is from 0 to 1"),
        ("error=nan", "error is from 0 to 1"),
        ("delay_ms=-1", "delay_ms is from 0 to 60000"),
    ],
)
def test_a_drill_that_says_something_else_is_refused(text: str, what: str) -> None:
    with pytest.raises(ServingError, match=what):
        parse_faults(text)


def test_about_the_asked_share_of_units_fails_and_always_the_same_ones() -> None:
    faults = Faults(FaultSpec(error=0.3))
    first = [struck(faults, f"unit-{n}") for n in range(400)]
    assert 90 < sum(first) < 150
    assert [struck(faults, f"unit-{n}") for n in range(400)] == first


def test_it_begins_after_so_many_live_requests() -> None:
    faults = Faults(FaultSpec(error=1.0, after=2))
    assert [struck(faults, "u") for _ in range(4)] == [False, False, True, True]


def test_the_mirrors_copies_are_spared_unless_asked_and_do_not_count() -> None:
    faults = Faults(FaultSpec(error=1.0, after=1))
    assert [struck(faults, "u", shadow=True) for _ in range(3)] == [False] * 3
    assert not struck(faults, "u")
    assert struck(Faults(FaultSpec(error=1.0, shadow=True)), "u", shadow=True)
