"""The forecast: how much traffic a rollout needs, computed before it starts."""

import pytest

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.forecast import forecast, observed_rate, to_prove
from mlops_pipeline.delivery.plan import plan_rollout
from mlops_pipeline_tests.delivery.contracts import short_contract

PLAN = plan_rollout(short_contract())


def line(at: float, cluster: str = "m-v1", method: str = "POST") -> AccessLine:
    return AccessLine(str(at), "r", method, "/m/predict", 200, "-", cluster, 1, 5.0, "s", 0.0)


def test_without_a_failure_the_proof_takes_what_the_e_process_says():
    # 60 good outcomes against a budget of 5 % are worth 7.4; 20 are needed, at 90.
    assert to_prove(0.05, 0.05, healthy=0.0) == pytest.approx(90, abs=5)
    assert to_prove(0.05, 0.05) > to_prove(0.05, 0.05, healthy=0.0)


def test_every_stop_says_what_it_needs_and_how_long_that_takes():
    found = forecast(PLAN, rate=10.0)
    assert [(n.stop, n.share) for n in found.needs] == [
        ("shadow", 1.0), ("10 %", 0.1), ("50 %", 0.5), ("100 %", 1.0),
    ]  # fmt: skip
    assert [n.units for n in found.needs[:3]] == [40, 60, 60]
    assert found.needs[1].seconds == 60.0
    assert found.too_slow == ()
    assert str(found).startswith(f"needs about {found.requests} requests, ")


def test_a_trickle_of_traffic_is_too_slow_and_says_both_numbers():
    found = forecast(PLAN, rate=0.5)
    assert found.too_slow[0] == (
        "10 %: 60 units at a share of 0.1 take 0.333 h, the deadline is 0.167 h"
    )


def test_an_unknown_rate_is_said_to_be_unknown():
    found = forecast(PLAN, rate=None)
    assert found.seconds is None
    assert "the rate of traffic is not known yet" in str(found)


def test_the_rate_is_of_this_models_predictions_alone():
    lines = [line(n / 10) for n in range(101)] + [line(n, "other-v1") for n in range(50)]
    assert observed_rate([*lines, line(0, method="GET")], "m") == pytest.approx(10)
    assert observed_rate(lines[:5], "m") is None
