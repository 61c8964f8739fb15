"""The plan: what the contract says, frozen."""

from mlops_pipeline.contract.promises import Approvals
from mlops_pipeline.delivery.plan import (
    Phase,
    itinerary,
    parse_plan,
    plan_digest,
    plan_json,
    plan_rollout,
)
from mlops_pipeline_tests.delivery.contracts import short_contract


def test_per_cent_become_buckets_and_refusals_are_guarded():
    plan = plan_rollout(short_contract())
    assert plan.weights == (1000, 5000, 10_000)
    assert [guard.name for guard in plan.guards] == ["error", "slow", "refused"]
    assert plan.guards[-1].budget is None


def test_the_ledgers_copy_is_the_plan():
    plan = plan_rollout(short_contract(bake_minutes=5))
    assert parse_plan(plan_json(plan)) == plan
    assert plan_digest(plan) != plan_digest(plan_rollout(short_contract()))


def test_every_stop_stands_in_order():
    approvals = Approvals(before_traffic=True, before_promotion=True)
    stops = itinerary(plan_rollout(short_contract(approvals=approvals, bake_minutes=5)))
    assert [(stop.phase, stop.weight, stop.shadow) for stop in stops] == [
        (Phase.SHADOW, 0, True),
        (Phase.APPROVE_TRAFFIC, 0, True),
        (Phase.STEP, 1000, False),
        (Phase.STEP, 5000, False),
        (Phase.STEP, 10_000, False),
        (Phase.BAKE, 10_000, False),
        (Phase.APPROVE_PROMOTION, 10_000, False),
        (Phase.PROMOTED, 0, False),
    ]
    assert [stop.last_step for stop in stops].index(True) == 4


def test_without_shadow_bake_or_approval_only_steps_are_left():
    stops = itinerary(plan_rollout(short_contract(shadow_requests=0)))
    assert [stop.phase for stop in stops] == [Phase.STEP] * 3 + [Phase.PROMOTED]
