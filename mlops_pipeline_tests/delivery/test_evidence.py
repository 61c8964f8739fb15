"""Evidence: one outcome a unit, of this rollout, that a user got."""

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.evidence import LiveEvidence, live_evidence, shadow_evidence
from mlops_pipeline.delivery.plan import REFUSED, GuardPlan
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord

GUARDS = (
    GuardPlan("error", 0.02, 1.25),
    GuardPlan("slow", 0.05, 1.25, over_ms=100),
    GuardPlan(REFUSED, None, 1.25),
)


def line(unit: str, version: int = 2, code: int = 200, **more: object) -> AccessLine:
    said = {
        "at": "0", "id": f"r-{unit}", "method": "POST", "path": "/m/predict", "code": code,
        "flags": "-", "cluster": f"m-v{version}", "attempts": 1, "ms": 5.0,
        "rollout": "rollout-1", "weight": 1000, "unit_header": unit,
    }  # fmt: skip
    return AccessLine(**{**said, **more})


def live(*lines: AccessLine) -> LiveEvidence:
    return live_evidence(lines, salt="rollout-1", candidate="m-v2", stable="m-v1", guards=GUARDS)


def test_a_user_who_fails_again_and_again_counts_once():
    found = live(*[line("ana", code=500)] * 7, line("bo"))
    assert (found.candidate.n, found.candidate.bad) == (2, {"error": 1})
    assert found.candidate_requests == 8
    assert found.units_at == {1000: 2}


def test_only_this_rollouts_predictions_count():
    strangers = (
        line("a", rollout="rollout-0"), line("b", method="GET"), line("c", cluster="m-v3"),
        line("d", cluster="m-v2-shadow"), line("e", weight=0, version=1),
    )  # fmt: skip
    found = live(*strangers)
    assert (found.candidate.n, found.stages, found.candidate_requests) == (0, (), 0)


def test_a_request_that_the_router_tried_twice_counts_only_when_the_user_got_nothing():
    found = live(line("ana", attempts=2), line("bo", attempts=2, code=503))
    assert (found.candidate.n, found.candidate.bad) == (1, {"error": 1})


def test_each_guard_has_its_own_eyes():
    found = live(
        line("a", ms=150.0),
        line("b", code=422),
        line("c", code=504, ms=2000.0),
        line("d", code=0, flags="DC", ms=300.0),
    )
    assert found.candidate.bad == {"slow": 3, "refused": 1, "error": 1}


def test_a_unit_that_moved_to_the_candidate_is_compared_where_it_was_met_first():
    found = live(
        line("ana", version=1, code=500),
        line("bo", code=500),
        line("ana", weight=5000, code=500),
        line("cy", weight=5000),
    )
    assert (found.candidate.n, found.candidate.bad) == (3, {"error": 2})
    first, second = found.stages
    assert (first.share, first.candidate.bad, first.stable.bad) == (0.1, {"error": 1}, {"error": 1})
    assert (second.share, second.candidate.n, second.candidate.bad) == (0.5, 1, {})
    assert found.units_at == {1000: 1, 5000: 2}


def test_outcomes_stay_in_order_by_hundreds():
    lines = [line(f"u{n}", code=500 if n >= 150 else 200) for n in range(220)]
    assert [(block.n, block.bad) for block in live(*lines).blocks] == [
        (100, {}), (100, {"error": 50}), (20, {"error": 20}),
    ]  # fmt: skip


def record(name: str, score: float | None, outcome: Outcome = Outcome.OK, ms: float = 5.0):
    return RequestRecord(
        name, 0.0, "m", "1", Arm.LIVE, f"unit-{name}", 200, outcome, score, ms, None, {}, {}
    )


def test_pairs_are_made_by_request_where_the_stable_answered():
    stable = [record("a", 0.2), record("b", 0.4), record("c", None, Outcome.ERROR)]
    copies = [record("a", 0.5), record("c", 0.1), record("z", 0.1), record("b", 0.4, ms=200)]
    found = shadow_evidence(stable, copies, guards=GUARDS)
    assert (found.n, found.bad) == (2, {"slow": 1})
    assert [round(shift, 6) for shift in found.shifts] == [0.3, 0]


def test_a_copy_refused_by_the_candidate_is_its_failure():
    found = shadow_evidence(
        [record("a", 0.2), record("b", 0.2)],
        [record("a", None, Outcome.INVALID), record("b", None, Outcome.ERROR)],
        guards=GUARDS,
    )
    assert (found.n, found.bad, found.shifts) == (2, {"error": 2, "refused": 1}, ())


def test_numbers_that_lie_far_apart_count_as_the_reach():
    stable = [record("a", -40.0), record("b", 900.0)]
    copies = [record("a", -35.0), record("b", 100.0)]

    found = shadow_evidence(stable, copies, guards=GUARDS, reach=200.0)

    assert found.shifts == (5.0, 200.0)
    assert found.scores == ((-40.0, -35.0), (900.0, 100.0))
