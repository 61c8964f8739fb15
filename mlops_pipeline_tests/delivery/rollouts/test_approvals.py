"""A person's yes: bound to what was seen, in time, and by the right people."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from mlops_pipeline.contract.promises import Approvals
from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.rollout import StepOutcome, step
from mlops_pipeline.delivery.start import start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import audit, quarantine, tables
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW, arms


def waiting(world: World, users: Users, **said: object) -> int:
    """A rollout that waits for a yes before traffic."""
    contract = short_contract(approvals=Approvals(before_traffic=True, **said))
    row = start_rollout(world, contract, candidate="2", reason="passed", now=NOW, actor="robin")
    step(world, row.id, now=NOW)
    users.send(50)
    assert step(world, row.id, now=NOW).rollout.state is RolloutState.AWAITING_APPROVAL
    return row.id


def yes(world: World, who: str, later: timedelta = timedelta()) -> None:
    with transaction(world.engine) as tx:
        approvals.approve(tx, MODEL, approver=who, reason="seen", now=NOW + later)


def stepped(world: World, rollout: int, later: timedelta = timedelta()) -> StepOutcome:
    return step(world, rollout, now=NOW + later)


def test_a_yes_lets_traffic_grow_and_names_the_person(world: World, node: FakeNode, users: Users):
    rollout = waiting(world, users)
    yes(world, "ana")
    assert stepped(world, rollout).action == "advance"
    assert arms(node).weight == 1000
    with reading(world.engine) as tx:
        audit.verify(tx)
        assert [e.actor for e in audit.entries(tx) if e.action == "review.approved"] == ["ana"]


def test_a_yes_is_said_once_and_who_says_it_again_learns_by_whom(world: World, users: Users):
    waiting(world, users)
    yes(world, "ana")
    with pytest.raises(DeliveryError, match="ana said yes already; the next step acts on it"):
        yes(world, "ben")


def test_nobody_waits_where_nothing_was_asked(world: World, users: Users):
    with pytest.raises(DeliveryError, match=r"no rollout is under way"):
        yes(world, "ana")
    row = start_rollout(world, short_contract(), candidate="2", reason="passed", now=NOW)
    with pytest.raises(DeliveryError, match=rf"rollout {row.id} is planned and waits for nobody"):
        yes(world, "ana")


@pytest.mark.parametrize("edited", ["plan", "bundle", "evidence"])
def test_an_edit_after_the_yes_voids_it(world: World, node: FakeNode, users: Users, edited: str):
    rollout = waiting(world, users)
    yes(world, "ana")
    with transaction(world.engine) as tx:
        if edited == "plan":
            plan = dict(tx.execute(tables.rollouts.select()).one().plan, alpha=0.4)
            tx.execute(update(tables.rollouts).values(plan=plan))
        elif edited == "bundle":
            wanted = tables.versions.c.version == "2"
            tx.execute(update(tables.versions).where(wanted).values(bundle="another"))
        else:
            tx.execute(update(tables.decisions).values(evidence={"judgement": None}))
    outcome = stepped(world, rollout)
    assert outcome.action == "hold"
    assert outcome.reasons[-1] == "nobody approved yet: approve_traffic"
    assert arms(node).weight == 0
    with pytest.raises(DeliveryError, match=r"what was asked about is not what the ledger holds"):
        yes(world, "bob")


def test_a_question_expires_and_the_candidate_leaves_without_blame(
    world: World, node: FakeNode, users: Users
):
    rollout = waiting(world, users, expire_hours=2)
    with pytest.raises(DeliveryError, match=r"has expired"):
        yes(world, "ana", timedelta(hours=3))
    outcome = stepped(world, rollout, timedelta(hours=3))
    assert outcome.reasons == ("nobody said yes within 2 h (approve_traffic)",)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    with reading(world.engine) as tx:
        assert not quarantine.is_quarantined(tx, MODEL, "l2")


def test_an_old_yes_is_no_yes(world: World, node: FakeNode, users: Users):
    rollout = waiting(world, users, expire_hours=2)
    yes(world, "ana")
    assert stepped(world, rollout, timedelta(hours=3)).action == "roll_back"
    assert arms(node).weight == 0


def test_four_eyes_are_two_people_and_not_the_one_who_began(
    world: World, node: FakeNode, users: Users
):
    rollout = waiting(world, users, four_eyes=True)
    with pytest.raises(DeliveryError, match=r"robin began this rollout"):
        yes(world, "robin")
    yes(world, "ana")
    outcome = stepped(world, rollout)
    assert outcome.reasons[-1] == "1 more person(s) must approve: approve_traffic"
    with pytest.raises(DeliveryError, match=r"ana said yes already"):
        yes(world, "ana")
    yes(world, "bob")
    assert stepped(world, rollout).action == "advance"
    assert arms(node).weight == 1000
