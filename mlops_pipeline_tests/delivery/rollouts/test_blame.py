"""Whose fault it was: what condemns a lineage, what does not, and how a rollout is given up."""

import pytest

from mlops_pipeline.delivery.abort import abort_rollout
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.start import start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import incidents, quarantine
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW, arms, begin


def barred(world: World) -> bool:
    with reading(world.engine) as tx:
        return quarantine.is_quarantined(tx, MODEL, "l2")


def to_first_step(world: World, users: Users) -> int:
    rollout = begin(world)
    users.send(50)
    assert step(world, rollout, now=NOW).action == "advance"
    return rollout


def test_a_server_that_was_killed_loses_its_traffic_but_condemns_nothing_the_first_time(
    world: World, node: FakeNode, users: Users
):
    for barred_after in (False, True):  # twice is no accident
        rollout = to_first_step(world, users)
        node.switch.retreat(MODEL, cause="its server ended", by="reflex", condemns=False)
        outcome = step(world, rollout, now=NOW)
        assert outcome.rollout.state is RolloutState.ROLLED_BACK
        assert arms(node).weight == 0
        assert barred(world) is barred_after
    with reading(world.engine) as tx:
        assert incidents.open_incidents(tx, MODEL)


def test_proven_failures_condemn_though_the_server_ended_too(
    world: World, node: FakeNode, users: Users
):
    rollout = to_first_step(world, users)
    users.behave = lambda version, unit: (500 if version == "2" else 200, 5.0)
    users.send(200)
    node.switch.retreat(MODEL, cause="its server ended", by="reflex", condemns=False)
    outcome = step(world, rollout, now=NOW)
    assert outcome.judgement.guard == "error"
    assert barred(world)


def test_a_rollout_that_no_user_met_is_aborted(world: World, node: FakeNode, users: Users):
    rollout = begin(world)
    ended = abort_rollout(world, MODEL, reason="the machine moves", by="ana", now=NOW)
    assert (ended.rollout.state, ended.users_met_it) == (RolloutState.ABORTED, False)
    assert step(world, rollout, now=NOW).action == "done"
    assert arms(node).versions == ("1",)
    assert not barred(world)
    assert start_rollout(world, short_contract(), candidate="2", reason="again", now=NOW).id == 2


def test_a_rollout_that_users_met_is_rolled_back_without_blame(
    world: World, node: FakeNode, users: Users
):
    to_first_step(world, users)
    ended = abort_rollout(world, MODEL, reason="the machine moves", by="ana", now=NOW)
    assert (ended.rollout.state, ended.users_met_it) == (RolloutState.ROLLED_BACK, True)
    assert set(users.send(50)) == {f"{MODEL}-v1"}
    assert not barred(world)
    with pytest.raises(DeliveryError, match=r"no rollout is under way; nothing to abort"):
        abort_rollout(world, MODEL, reason="again", by="ana", now=NOW)
