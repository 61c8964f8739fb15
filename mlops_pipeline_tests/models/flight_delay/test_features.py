import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.models.flight_delay.features import derive

SATURDAY = 1370044740.0  # 2013-05-31T23:59 is a Friday; one minute later is Saturday


def test_the_last_minute_of_a_friday() -> None:
    assert derive({"scheduled_departure": SATURDAY, "scheduled_arrival": 159.0}) == {
        "hour": 23,
        "minute_of_day": 1439,
        "weekday": 4,
        "arrival_hour": 1,
    }
    assert derive({"scheduled_departure": SATURDAY + 60, "scheduled_arrival": 0.0}) == {
        "hour": 0,
        "minute_of_day": 0,
        "weekday": 5,
        "arrival_hour": 0,
    }


@given(st.floats(-1e10, 1e10) | st.just(float("nan")), st.floats(0, 2359))
def test_arrays_and_single_numbers_give_the_same_bits(departure: float, arrival: float) -> None:
    one = derive({"scheduled_departure": departure, "scheduled_arrival": arrival})
    many = derive(
        {"scheduled_departure": np.array([departure]), "scheduled_arrival": np.array([arrival])}
    )
    for name, value in one.items():
        np.testing.assert_array_equal(many[name], [value])
