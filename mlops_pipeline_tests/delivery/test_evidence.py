"""Evidence: one outcome a unit, of this rollout, that a user got."""

import itertools
import math

import pytest

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.assignment import meets_candidate
from mlops_pipeline.delivery.evidence import LiveEvidence, live_evidence, shadow_evidence
from mlops_pipeline.delivery.plan import REFUSED, GuardPlan
from mlops_pipeline.delivery.sequential import Stage, log_e_worse
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


def test_a_unit_that_met_the_stable_is_thrown_for_again_when_the_weight_grows():
    found = live(
        line("ana", version=1, code=500),
        line("bo", code=500),
        line("ana", weight=5000, code=500),  # moved to the candidate: at odds of 4000 in 9000
        line("ana", weight=5000, code=500),  # asks again: no coin was thrown
        line("bo", weight=5000, code=500),  # stays with the candidate: no coin was thrown
        line("cy", weight=5000),
        line("cy", version=1, code=500),  # under way since before: no coin was thrown
    )
    assert (found.candidate.n, found.candidate.bad) == (3, {"error": 2})
    first, new, again = found.stages
    assert (first.share, first.candidate.bad, first.stable.bad) == (0.1, {"error": 1}, {"error": 1})
    assert (new.share, new.candidate.n, new.candidate.bad) == (0.5, 1, {})
    assert (again.share, again.candidate.bad, again.stable.n) == (4 / 9, {"error": 1}, 0)
    assert found.units_at == {1000: 1, 5000: 3}


@pytest.mark.parametrize("salt", range(3))
def test_a_user_who_always_fails_is_no_evidence_on_average_however_the_weight_grows(salt: int):
    """Exactly: the e-value's mean over all buckets that the user may have is 1."""
    weights = (500, 2500, 5000)
    total = 0.0
    for low, high in itertools.pairwise((0, *weights, 10_000)):
        lines = [
            line("ana", version=2 if low < weight else 1, code=500, weight=weight)
            for weight in weights
        ]
        stages = [
            Stage(s.share, s.candidate.bad.get("error", 0), s.stable.bad.get("error", 0))
            for s in live(*lines[salt:]).stages
        ]
        total += (high - low) / 10_000 * math.exp(float(log_e_worse(stages)))
    assert total == pytest.approx(1, abs=1e-9)


def test_a_candidate_that_fails_users_who_all_come_back_is_found_by_the_comparison():
    users = [f"user-{n}" for n in range(600)]
    lines = []
    for weight in (500, 5000):
        for unit in users:
            mine = meets_candidate(unit, "rollout-1", weight)
            fails = weight == 5000 and mine and int(unit[5:]) % 5 == 0
            version, code = (2 if mine else 1), (500 if fails else 200)
            lines.append(line(unit, version=version, code=code, weight=weight))
    lines += [line(f"unlucky-{n}", version=1, code=500, weight=5000) for n in range(3)]
    stages = [
        Stage(s.share, s.candidate.bad.get("error", 0), s.stable.bad.get("error", 0))
        for s in live(*lines).stages
    ]
    assert float(log_e_worse(stages, 1.25)) > math.log(160)


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
