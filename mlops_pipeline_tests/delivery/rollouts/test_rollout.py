"""Rollouts on a node without processes: every move, every refusal, every crash in between."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from mlops_pipeline.contract.promises import Approvals
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.settle import settle
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError, LedgerError, NodeUnreachable, StaleGeneration
from mlops_pipeline.ledger import (
    audit,
    champion,
    decisions,
    incidents,
    quarantine,
    reviews,
    rollouts,
    versions,
)
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users, fake_world
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW, arms, begin, drive


def test_a_good_candidate_is_promoted_step_by_step(world: World, node: FakeNode, users: Users):
    rollout = begin(world)
    assert arms(node) == Arms(MODEL, "1", "2", 0, True, f"rollout-{rollout}")
    seen = []
    node.after_put = lambda command: seen.append(command.arms.weight)
    outcome = drive(world, rollout, users)
    assert outcome.rollout.state is RolloutState.PROMOTED
    assert seen == [1000, 5000, 10_000, 0]
    with reading(world.engine) as tx:
        found = champion.read(tx, MODEL)
        decided = decisions.of_rollout(tx, rollout)
        audit.verify(tx)
    assert (found.version, found.previous, found.epoch) == ("2", "1", 2)
    assert arms(node).versions == ("2",)
    assert set(node.hosts) == {(MODEL, "1"), (MODEL, "2")}  # the old one stays warm
    assert [decision.action for decision in decided] == ["advance"] * 3 + ["promote"]
    last = decided[-1].evidence["judgement"]["findings"]
    within = [f for f in last if f["test"] == "within"]
    assert all(f["e_value"] >= f["e_limit"] == 20 for f in within)


def test_a_failing_candidate_is_rolled_back_with_every_number(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)
    assert step(world, rollout, now=NOW).action == "advance"
    users.behave = lambda version, unit: (500 if version == "2" else 200, 5.0)
    users.send(100)
    outcome = step(world, rollout, now=NOW)
    assert outcome.action == "roll_back"
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert arms(node) == Arms(MODEL, "1", "2", 0, False, f"rollout-{rollout}")
    assert set(users.send(50)) == {f"{MODEL}-v1"}
    with reading(world.engine) as tx:
        decided = decisions.of_rollout(tx, rollout)
        assert quarantine.is_quarantined(tx, MODEL, "l2")
        assert champion.read(tx, MODEL).version == "1"
        (incident,) = incidents.open_incidents(tx, MODEL)
    rolled, confirmed = decided[-2:]
    (proof,) = (f for f in rolled.evidence["judgement"]["findings"] if f["test"] == "budget"
                and f["guard"] == "error")  # fmt: skip
    assert proof["value"] == 1.0
    assert proof["limit"] == 0.05
    assert proof["n"] == proof["bad"] == rolled.evidence["candidate_requests"]
    assert proof["e_value"] >= proof["e_limit"] == 160
    assert confirmed.action == "confirm"
    assert 0 < confirmed.evidence["seconds_to_zero_weight"] < 5
    assert "version 2 was rolled back to 1: error (budget): 1 against 0.05" in incident.summary


def test_a_version_that_was_rolled_back_never_starts_again(world: World, users: Users):
    rollout = begin(world)
    roll_back(world, MODEL, reason="a person saw it", by="ana", now=NOW)
    with pytest.raises(LedgerError, match=r"version 2 is in quarantine"):
        start_rollout(world, short_contract(), candidate="2", reason="again", now=NOW)
    assert step(world, rollout, now=NOW).action == "done"


def test_a_slow_candidate_is_rolled_back(world: World, users: Users):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    users.behave = lambda version, unit: (200, 150.0 if version == "2" else 5.0)
    outcome = drive(world, rollout, users)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert outcome.judgement.guard == "slow"


def test_a_candidate_that_refuses_what_the_stable_accepts_is_rolled_back(
    world: World, users: Users
):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    users.behave = lambda version, unit: (422 if version == "2" else 200, 5.0)
    outcome = drive(world, rollout, users, batch=300)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert outcome.judgement.guard == "refused"


def test_an_outage_that_hits_both_arms_is_not_blamed_on_the_candidate_by_the_comparison(
    world: World, users: Users
):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    users.behave = lambda version, unit: (422, 5.0)
    users.send(400)
    outcome = step(world, rollout, now=NOW)
    assert outcome.action != "roll_back"


def test_scores_that_moved_too_far_end_it_in_shadow(world: World, node: FakeNode, users: Users):
    rollout = begin(world)
    users.shift = 0.6
    users.send(50)
    outcome = step(world, rollout, now=NOW)
    assert outcome.judgement.guard == "score"
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert outcome.requests == 0  # no user ever met it


def test_a_candidate_with_no_requests_is_held_and_never_promoted(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    for hours in range(1, 5):
        outcome = step(world, rollout, now=NOW + timedelta(hours=hours))
        assert outcome.action == "hold"
    assert outcome.rollout.state is RolloutState.HOLDING
    assert "compared requests (0) < shadow_requests (40)" in outcome.reasons
    assert arms(node).weight == 0


def test_a_rollout_past_its_deadline_holds_its_weight_and_goes_on_when_evidence_comes(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    late = NOW + timedelta(minutes=11)
    outcome = step(world, rollout, now=late)
    assert outcome.rollout.state is RolloutState.HOLDING
    assert any("deadline of 0.167 h" in reason for reason in outcome.reasons)
    assert arms(node).weight == 1000
    users.send(1000)
    assert step(world, rollout, now=late).rollout.state is RolloutState.STEPPING
    step(world, rollout, now=late)
    assert arms(node).weight == 5000


def test_evidence_against_the_candidate_counts_while_holding(world: World, users: Users):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    late = NOW + timedelta(minutes=11)
    assert step(world, rollout, now=late).rollout.state is RolloutState.HOLDING
    users.behave = lambda version, unit: (500 if version == "2" else 200, 5.0)
    users.send(200)
    assert step(world, rollout, now=late).action == "roll_back"


def test_users_who_ask_again_are_no_new_evidence(world: World, users: Users):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    users.send(2000, units=20)
    outcome = step(world, rollout, now=NOW)
    assert outcome.action == "hold"
    assert any("< requests_per_step (60)" in reason for reason in outcome.reasons)


def test_approval_is_waited_for_and_rollback_is_possible_meanwhile(
    world: World, node: FakeNode, users: Users
):
    contract = short_contract(approvals=Approvals(before_traffic=True, before_promotion=True))
    rollout = begin(world, contract)
    users.send(50)
    assert step(world, rollout, now=NOW).rollout.state is RolloutState.AWAITING_APPROVAL
    assert step(world, rollout, now=NOW + timedelta(days=2)).action == "hold"
    with transaction(world.engine) as tx:
        (question,) = reviews.open_items(tx, MODEL)
        reviews.approve(tx, question.id, approver="ana", reason="seen", now=NOW)
    step(world, rollout, now=NOW)
    assert arms(node).weight == 1000
    outcome = drive(world, rollout, users)
    assert outcome.rollout.state is RolloutState.AWAITING_APPROVAL
    assert arms(node).weight == 10_000
    users.behave = lambda version, unit: (500 if version == "2" else 200, 5.0)
    users.send(200)
    assert step(world, rollout, now=NOW).action == "roll_back"
    assert arms(node).weight == 0


def test_the_bake_lasts_as_long_as_the_plan_says(world: World, node: FakeNode, users: Users):
    rollout = begin(world, short_contract(bake_minutes=5))
    outcome = drive(world, rollout, users)
    assert outcome.rollout.state is RolloutState.BAKE
    assert "the bake lasts until 2026-03-01T12:05:00+00:00" in outcome.reasons
    outcome = step(world, rollout, now=NOW + timedelta(minutes=6))
    assert outcome.rollout.state is RolloutState.PROMOTED


def test_a_retreat_by_the_node_becomes_a_recorded_rollback(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    node.switch.retreat(MODEL, cause="its server ended", by="reflex", bad=3)
    outcome = step(world, rollout, now=NOW)
    assert outcome.reasons == ("the node retreated (reflex): its server ended",)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    with reading(world.engine) as tx:
        evidence = decisions.of_rollout(tx, rollout)[-1].evidence
    assert evidence["retreat"]["by"] == "reflex"
    assert evidence["retreat"]["milliseconds"] / 1000 == evidence["seconds_to_zero_weight"]


def test_a_candidate_whose_server_is_late_is_waited_for(world: World, node: FakeNode):
    node.late.add((MODEL, "2"))
    row = start_rollout(world, short_contract(), candidate="2", reason="passed", now=NOW)
    outcome = step(world, row.id, now=NOW)
    assert outcome.reasons == ("servers not ready: versions 2",)
    node.late.clear()
    assert step(world, row.id, now=NOW).rollout.state is RolloutState.SHADOW


def test_only_one_rollout_of_a_known_version_against_the_champion_starts(world: World):
    begin(world)
    contract = short_contract()
    with pytest.raises(LedgerError, match=r"rollout 1 of version 2 is shadow"):
        start_rollout(world, contract, candidate="3", reason="me too", now=NOW)
    roll_back(world, MODEL, reason="make room", by="ana", now=NOW)
    with pytest.raises(LedgerError, match=r"has no version '9'"):
        start_rollout(world, contract, candidate="9", reason="?", now=NOW)
    with pytest.raises(DeliveryError, match=r"stable 3 is not the champion, which is 1"):
        start_rollout(world, contract, candidate="2", stable="3", reason="?", now=NOW)


def test_without_a_champion_only_the_first_deployment_starts(node: FakeNode, engine: Engine):
    world = fake_world(node, engine)
    with pytest.raises(DeliveryError, match=r"no champion to compare with"):
        start_rollout(world, short_contract(), candidate="1", reason="?", now=NOW)
    with pytest.raises(DeliveryError, match=r"nothing to roll back"):
        roll_back(world, MODEL, reason="?", by="ana", now=NOW)
    deploy_first(world, short_contract(), version="1", reason="first", now=NOW)
    deploy_first(world, short_contract(), version="1", reason="first", now=NOW)
    with pytest.raises(DeliveryError, match=r"version 2 cannot be the first"):
        deploy_first(world, short_contract(), version="2", reason="first", now=NOW)
    with reading(engine) as tx:
        (moved,) = (e for e in audit.entries(tx) if e.action == "champion.moved")
    assert moved.detail["baseline"] == "first version, no baseline"


def test_what_a_crash_left_between_record_and_router_is_finished_by_the_next_step(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)

    def crash(command: object) -> None:
        raise DeliveryError("the worker was killed")

    put = node.switch.put
    node.switch.put = crash
    with pytest.raises(DeliveryError, match=r"the worker was killed"):
        step(world, rollout, now=NOW)
    node.switch.put = put
    assert arms(node).weight == 0
    assert step(world, rollout, now=NOW).action == "hold"
    assert arms(node).weight == 1000


def test_a_promotion_that_did_not_reach_the_router_is_finished_or_undone(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    put = node.switch.put

    def crash_at_the_end(command):
        if command.arms.stable == "2":
            raise DeliveryError("the worker was killed")
        return put(command)

    node.switch.put = crash_at_the_end
    with pytest.raises(DeliveryError, match=r"the worker was killed"):
        drive(world, rollout, users)
    node.switch.put = put
    with reading(world.engine) as tx:
        assert champion.read(tx, MODEL).version == "2"
    assert arms(node).versions == ("1", "2")
    node.switch.retreat(MODEL, cause="it fails", by="reflex")  # before anybody finished it
    step(world, rollout, now=NOW)
    with reading(world.engine) as tx:
        assert champion.read(tx, MODEL).version == "1"
        assert quarantine.is_quarantined(tx, MODEL, "l2")
    assert arms(node).versions == ("1",)
    assert settle(world, MODEL, now=NOW) == ()


def test_a_late_step_of_an_old_run_moves_nothing(world: World, node: FakeNode, users: Users):
    rollout = begin(world)
    with reading(world.engine) as tx:
        old = rollouts.get(tx, rollout)
    roll_back(world, MODEL, reason="a person saw it", by="ana", now=NOW)
    said = {"stable": "1", "candidate": "2", "shadow": False, "salt": f"rollout-{rollout}"}
    for generation in (old.generation, old.generation + 9):
        with pytest.raises(StaleGeneration, match=r"was retreated in rollout-1: a person saw it"):
            world.node.put_routes(MODEL, weight=500, rollout=rollout, generation=generation, **said)
    assert arms(node).weight == 0


def test_rollback_is_possible_before_the_first_step(world: World, node: FakeNode):
    row = start_rollout(world, short_contract(), candidate="2", reason="passed", now=NOW)
    outcome = roll_back(world, MODEL, reason="a person saw it", by="ana", now=NOW)
    assert (outcome.left, outcome.serving) == ("2", "1")
    assert step(world, row.id, now=NOW).rollout.state is RolloutState.ROLLED_BACK
    with pytest.raises(StaleGeneration, match=r"was retreated in rollout-1"):
        world.node.put_routes(
            MODEL, stable="1", candidate="2", weight=500, shadow=False, salt="rollout-1",
            rollout=row.id, generation=2,
        )  # fmt: skip


def test_after_a_promotion_rollback_goes_to_the_version_before(
    world: World, node: FakeNode, users: Users
):
    drive(world, begin(world), users)
    outcome = roll_back(world, MODEL, reason="labels came in", by="ana", now=NOW)
    assert (outcome.left, outcome.serving) == ("2", "1")
    assert set(users.send(100)) == {f"{MODEL}-v1"}
    with reading(world.engine) as tx:
        assert champion.read(tx, MODEL).version == "1"
        assert quarantine.is_quarantined(tx, MODEL, "l2")
    settle(world, MODEL, now=NOW)
    assert arms(node).versions == ("1",)
    assert set(node.hosts) == {(MODEL, "1")}
    with pytest.raises(DeliveryError, match=r"no version served well before"):
        roll_back(world, MODEL, reason="once more", by="ana", now=NOW)
    with pytest.raises(DeliveryError, match=r"version 3 is none that served well"):
        roll_back(world, MODEL, reason="once more", by="ana", now=NOW, to="3")


def test_a_later_rollout_starts_from_the_champion_of_the_first(
    world: World, node: FakeNode, users: Users
):
    drive(world, begin(world), users)
    outcome = drive(world, begin(world, candidate="3"), users)
    assert outcome.rollout.state is RolloutState.PROMOTED
    settle(world, MODEL, now=NOW)
    assert arms(node).versions == ("3",)
    assert set(node.hosts) == {(MODEL, "2"), (MODEL, "3")}


def test_a_rollback_that_races_a_promotion_ends_in_one_state(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    drive_to = replace(world, probe=world.probe)
    retreat = node.roll_back

    def promote_first(model, order):
        node.roll_back = retreat
        drive(drive_to, rollout, users)  # the promotion is recorded before the rollback is
        return retreat(model, order)

    users.send(50)
    node.roll_back = promote_first
    outcome = roll_back(world, MODEL, reason="a person saw it", by="ana", now=NOW)
    assert (outcome.left, outcome.serving) == ("2", "1")
    with reading(world.engine) as tx:
        assert champion.read(tx, MODEL).version == "1"
        assert quarantine.is_quarantined(tx, MODEL, "l2")
    assert set(users.send(50)) == {f"{MODEL}-v1"}


def test_with_the_node_down_the_wish_is_recorded_and_kept_later(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)
    step(world, rollout, now=NOW)
    down = replace(world, node=_NoNode())
    with pytest.raises(NodeUnreachable, match=r"gone"):
        roll_back(down, MODEL, reason="a person saw it", by="ana", now=NOW)
    assert arms(node).weight == 1000
    outcome = step(world, rollout, now=NOW)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert arms(node).weight == 0


class _NoNode:
    def roll_back(self, model: str, **_: object) -> None:
        raise NodeUnreachable("gone")


def test_a_rollout_that_traffic_cannot_feed_is_warned_of_or_refused(
    world: World, node: FakeNode, users: Users
):
    slow = [
        {"at": str(NOW.timestamp() - 10 * n), "id": f"r{n}", "method": "POST", "path": "/",
         "code": 200, "flags": "-", "cluster": f"{MODEL}-v1", "attempts": 1, "ms": 5.0,
         "rollout": "first", "weight": 0.0, "unit": f"u{n}"}
        for n in range(59, -1, -1)
    ]  # fmt: skip
    log = node.settings.home / "node" / "access.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(json.dumps(line) + "\n" for line in slow))
    said = {"candidate": "2", "reason": "passed", "now": NOW}
    with pytest.raises(DeliveryError, match=r"10 %: 60 units at a share of 0.1 take 1.67 h, the"):
        start_rollout(world, short_contract(), **said, strict=True)
    row = start_rollout(world, short_contract(), **said)
    with reading(world.engine) as tx:
        (told,) = (e for e in audit.entries(tx) if e.action == "rollout.forecast")
    assert told.subject.endswith(f"/{row.id}")
    assert told.detail["too_slow"][0].startswith("10 %: 60 units")


def test_the_way_back_is_proven_before_a_rollout_starts(world: World, node: FakeNode):
    with reading(world.engine) as tx:
        assert versions.get(tx, MODEL, "1").served is None
    node.router.down.add("/run/flight_delay-1")
    start_rollout(world, short_contract(), candidate="2", reason="passed", now=NOW)
    with reading(world.engine) as tx:
        assert versions.get(tx, MODEL, "1").served is None  # it did not answer
    roll_back(world, MODEL, reason="make room", by="ana", now=NOW, condemn=False)
    node.router.down.clear()
    start_rollout(world, short_contract(), candidate="3", reason="passed", now=NOW)
    with reading(world.engine) as tx:
        assert versions.get(tx, MODEL, "1").served == NOW


def test_a_candidate_that_the_router_does_not_find_healthy_is_held(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world)
    users.send(50)
    node.router.down.add(f"/run/{MODEL}-2")
    held = step(world, rollout, now=NOW)
    assert held.action == "hold"
    assert "the candidate's server is not ready" in held.reasons
    node.router.down.clear()
    assert step(world, rollout, now=NOW).action == "advance"


def test_blue_green_is_a_plan_with_one_step(world: World, node: FakeNode, users: Users):
    contract = short_contract()
    one_step = contract.rollout.model_copy(update={"steps": (100,)})
    rollout = begin(world, contract.model_copy(update={"rollout": one_step}))
    seen = []
    node.after_put = lambda command: seen.append(command.arms.weight)
    assert drive(world, rollout, users).rollout.state is RolloutState.PROMOTED
    assert seen == [10_000, 0]


def test_a_blue_green_candidate_that_fails_is_rolled_back_by_its_budget(
    world: World, node: FakeNode, users: Users
):
    contract = short_contract()
    one_step = contract.rollout.model_copy(update={"steps": (100,)})
    rollout = begin(world, contract.model_copy(update={"rollout": one_step}))
    users.send(100)
    assert step(world, rollout, now=NOW).action == "advance"
    users.behave = lambda version, unit: (500 if version == "2" else 200, 5.0)
    users.send(100)
    outcome = step(world, rollout, now=NOW)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert "error (budget): 1 against 0.05 on 100" in outcome.reasons[0]
    assert arms(node).weight == 0
