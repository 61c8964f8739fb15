"""The bake: the old champion is warm while labels arrive, and a hold does not start it anew."""

from dataclasses import replace
from datetime import timedelta

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import BakeLabels
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.world import World
from mlops_pipeline.ledger import quarantine
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW, arms, begin, drive

S = RolloutState


def labelled_contract(bake_minutes: float = 5) -> ModelContract:
    contract = short_contract(bake_minutes=bake_minutes)
    labels = BakeLabels(answers=50, max_wrong=0.3)
    asked = contract.rollout.model_copy(update={"labels": labels})
    return contract.model_copy(update={"rollout": asked})


def known(count: int, label: float) -> dict[str, float]:
    """Labels of the first so many requests; every score of the fake users says no."""
    return {f"request-{number}": label for number in range(1, count + 1)}


def test_without_labels_the_old_champion_stays_until_they_come_and_then_it_is_promoted(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world, labelled_contract())
    assert drive(world, rollout, users).rollout.state is S.BAKE
    much_later = NOW + timedelta(minutes=16)  # the bake's five minutes and the deadline's ten
    held = step(world, rollout, now=much_later)
    assert held.rollout.state is S.HOLDING
    assert "labelled answers (0) < labels.answers (50)" in held.reasons
    assert (MODEL, "1") in node.hosts
    assert arms(node).weight == 10_000

    told = replace(world, labels=lambda model: known(10_000, 0.0))
    assert step(told, rollout, now=much_later).rollout.state is S.BAKE
    assert step(told, rollout, now=much_later).rollout.state is S.PROMOTED  # it has baked already


def test_labels_that_call_the_candidate_wrong_roll_it_back_in_the_bake(
    world: World, node: FakeNode, users: Users
):
    rollout = begin(world, labelled_contract())
    assert drive(world, rollout, users).rollout.state is S.BAKE
    told = replace(world, labels=lambda model: known(10_000, 1.0))
    outcome = step(told, rollout, now=NOW)
    assert outcome.rollout.state is S.ROLLED_BACK
    assert outcome.judgement is not None
    assert outcome.judgement.guard == "labels"
    assert arms(node).weight == 0
    with reading(world.engine) as tx:
        assert quarantine.is_quarantined(tx, MODEL, "l2")


def test_a_bake_longer_than_a_steps_deadline_ends(world: World, users: Users):
    rollout = begin(world, short_contract(bake_minutes=60))
    assert drive(world, rollout, users).rollout.state is S.BAKE
    for minutes in (15, 30, 59):
        later = NOW + timedelta(minutes=minutes)
        assert step(world, rollout, now=later).rollout.state is S.BAKE
    assert step(world, rollout, now=NOW + timedelta(minutes=60)).rollout.state is S.PROMOTED
