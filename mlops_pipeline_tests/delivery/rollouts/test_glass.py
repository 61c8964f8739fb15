"""Break-glass: possible, loud, and over soon."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_pipeline.contract.promises import Approvals
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.start import start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError, LedgerError
from mlops_pipeline.ledger import audit, incidents, overrides
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import Users
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW, begin, drive

ASKS = short_contract(approvals=Approvals(before_traffic=True, before_promotion=True))
HOUR = timedelta(hours=1)


def break_glass(world: World, **said: object) -> int:
    told = {"candidate": "2", "reason": "fire", "now": NOW, "actor": "ana", "break_glass": HOUR}
    return start_rollout(world, ASKS, **{**told, **said}).id


def test_it_goes_past_checklist_and_approvals_and_everybody_hears_of_it(world: World, users: Users):
    strict = replace(world, blockers=lambda version: ("signature: missing",))
    with pytest.raises(DeliveryError, match=r"may not reach users yet: signature: missing"):
        start_rollout(strict, ASKS, candidate="2", reason="?", now=NOW)
    rollout = break_glass(strict)
    assert drive(world, rollout, users).rollout.state is RolloutState.PROMOTED
    with reading(world.engine) as tx:
        (standing,) = overrides.standing(tx, MODEL)
        (told,) = (i for i in incidents.open_incidents(tx, MODEL) if "glass" in i.cause)
        assert "override.opened" in [e.action for e in audit.entries(tx)]
    assert (standing.actor, standing.reason) == ("ana", "fire")
    assert "ana broke the glass for version 2" in told.summary


def test_only_a_normal_promotion_closes_it(world: World, users: Users):
    drive(world, break_glass(world), users)
    drive(world, begin(world, candidate="3"), users)
    with reading(world.engine) as tx:
        assert overrides.standing(tx, MODEL) == ()
        assert "override.closed" in [e.action for e in audit.entries(tx)]


def test_it_expires_before_the_promotion_and_the_candidate_leaves(world: World, users: Users):
    rollout = break_glass(world)
    step(world, rollout, now=NOW)
    users.send(50)
    outcome = step(world, rollout, now=NOW + HOUR)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert outcome.reasons == ("the glass that was broken for it has expired before its promotion",)


def test_it_needs_a_name_a_reason_and_an_end(world: World):
    with pytest.raises(LedgerError, match=r"needs a name and a reason"):
        break_glass(world, reason=" ")
    with pytest.raises(LedgerError, match=r"must expire after"):
        break_glass(world, break_glass=timedelta())
