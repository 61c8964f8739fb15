"""The reflex: plain failure is seen at once, and nothing else is."""

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.reflex import CandidateReflex
from mlops_pipeline.delivery.router import ClusterCounters


def reflex() -> CandidateReflex:
    return CandidateReflex("m-v2", "rollout-1", limit=3)


def line(unit: str, code: int = 500, **more: object) -> AccessLine:
    said = {
        "at": "0", "id": unit, "method": "POST", "path": "/m/predict", "code": code, "flags": "-",
        "cluster": "m-v2", "attempts": 1, "ms": 5.0, "rollout": "rollout-1", "weight": 500,
        "unit_header": unit,
    }  # fmt: skip
    return AccessLine(**{**said, **more})


def counters(good: int, bad: int, healthy: int = 1) -> ClusterCounters:
    return ClusterCounters(good, bad, healthy, 1)


def test_consecutive_failures_of_different_units_alarm():
    watch = reflex()
    assert watch.look([line("a"), line("b")], None, process_runs=True) is None
    alarm = watch.look([line("c")], None, process_runs=True)
    assert alarm.cause == "consecutive failures of different units (3) >= 3"
    assert alarm.bad == 3


def test_one_success_in_between_begins_the_count_anew():
    watch = reflex()
    lines = [line("a"), line("b"), line("c", code=200), line("d"), line("e")]
    assert watch.look(lines, None, process_runs=True) is None


def test_one_user_who_keeps_asking_the_same_is_no_alarm():
    assert reflex().look([line("ana")] * 9, None, process_runs=True) is None


def test_failures_of_the_stable_or_of_another_rollout_are_not_the_candidates():
    others = [line("a", cluster="m-v1"), line("b", rollout="rollout-0"), line("c", method="GET")]
    assert reflex().look(others * 3, None, process_runs=True) is None


def test_counters_alone_alarm_where_the_log_is_silent():
    watch = reflex()
    assert watch.look([], counters(100, 4), process_runs=True) is None
    assert watch.look([], counters(100, 10), process_runs=True) is None
    assert watch.look([], counters(101, 15), process_runs=True) is None
    alarm = watch.look([], counters(101, 27), process_runs=True)
    assert alarm.cause == "failures without a success (17) >= 12"


def test_counters_that_start_over_with_the_router_are_no_alarm():
    watch = reflex()
    watch.look([], counters(100, 50), process_runs=True)
    assert watch.look([], counters(0, 20), process_runs=True) is None


def test_an_unhealthy_host_alarms_at_the_second_look():
    watch = reflex()
    assert watch.look([], counters(9, 0, healthy=0), process_runs=True) is None
    alarm = watch.look([], counters(9, 0, healthy=0), process_runs=True)
    assert alarm.cause == "its server is not healthy"


def test_an_ended_process_alarms_at_once():
    assert reflex().look([], counters(9, 0), process_runs=False).cause == "its server ended"
