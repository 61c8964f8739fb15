"""A generation has one decision."""

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LostRace
from mlops_pipeline.ledger import audit, decisions, rollouts
from mlops_pipeline.ledger.decisions import DecisionRow
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline_tests.ledger.rows import LATER, NOON, started_rollout


def _decide(tx: Connection, generation: int, action: str) -> DecisionRow:
    return decisions.record(
        tx,
        1,
        generation=generation,
        action=action,
        verdict="enough",
        evidence={"requests": 100},
        now=NOON,
    )


def test_a_step_that_runs_again_gets_its_first_decision(tx: Connection) -> None:
    started_rollout(tx)
    first = _decide(tx, 1, "advance")
    assert _decide(tx, 1, "hold") == first
    assert decisions.of_rollout(tx, 1) == (first,)
    assert [e.action for e in audit.entries(tx)].count("rollout.decided") == 1


def test_a_decision_that_stands_is_found_after_the_rollout_moved(tx: Connection) -> None:
    started_rollout(tx)
    first = _decide(tx, 1, "advance")
    rollouts.transition(
        tx, 1, seen_generation=1, state=RolloutState.PREFLIGHT, reason="r", now=LATER
    )
    assert _decide(tx, 1, "advance") == first


def test_nothing_new_is_decided_at_a_generation_that_has_passed(tx: Connection) -> None:
    started_rollout(tx)
    rollouts.transition(
        tx, 1, seen_generation=1, state=RolloutState.PREFLIGHT, reason="r", now=LATER
    )
    with pytest.raises(LostRace, match="at generation 2, the decision was made at 1"):
        _decide(tx, 1, "advance")
