"""Rollouts: one at a time, one generation per decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select

from mlops_pipeline.errors import LedgerError, LostRace
from mlops_pipeline.ledger import audit, quarantine, rollouts, tables
from mlops_pipeline.ledger.rollouts import ENDED, LAWFUL, RolloutRow, RolloutState
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline_tests.ledger.rows import (
    LATER,
    MODEL,
    NOON,
    started_rollout,
    with_champion,
    with_versions,
)


def _go(tx: Connection, before: RolloutRow, state: RolloutState) -> RolloutRow:
    return rollouts.transition(
        tx,
        before.id,
        seen_generation=before.generation,
        state=state,
        reason="evidence",
        now=LATER,
    )


def _start(tx: Connection) -> RolloutRow:
    return rollouts.start(
        tx,
        MODEL,
        candidate="2",
        stable="1",
        plan={},
        plan_digest="p",
        reason="again",
        now=LATER,
    )


def test_a_rollout_starts_as_planned_at_generation_one(tx: Connection) -> None:
    row = started_rollout(tx)
    assert (row.state, row.step, row.generation) == (RolloutState.PLANNED, 0, 1)
    assert row.plan == {"steps": [5, 100]}
    assert rollouts.active(tx, MODEL) == row


def test_a_second_rollout_waits_for_the_first(tx: Connection) -> None:
    started_rollout(tx)
    with pytest.raises(LedgerError, match="rollout 1 of version 2 is planned"):
        _start(tx)


def test_the_database_itself_refuses_a_second_active_rollout(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        started_rollout(tx)
    copied = [c for c in tables.rollouts.c if c.name != "id"]
    with pytest.raises(Exception, match=r"(?i)unique"), transaction(ledger) as tx:
        tx.execute(insert(tables.rollouts).from_select(copied, select(*copied)))


def test_a_rollout_that_ended_makes_room(tx: Connection) -> None:
    _go(tx, started_rollout(tx), RolloutState.ABORTED)
    assert rollouts.active(tx, MODEL) is None
    assert _start(tx).id == 2
    assert [row.id for row in rollouts.all_of(tx, MODEL)] == [1, 2]


def test_what_is_in_quarantine_is_not_rolled_out(tx: Connection) -> None:
    with_champion(tx, "1")
    with_versions(tx, "2")
    quarantine.put(tx, MODEL, "lineage-2", version="2", reason="errors", now=NOON)
    with pytest.raises(LedgerError, match="version 2 is in quarantine"):
        _start(tx)


def test_a_transition_is_one_generation(tx: Connection) -> None:
    row = rollouts.transition(
        tx,
        started_rollout(tx).id,
        seen_generation=1,
        state=RolloutState.PREFLIGHT,
        step=1,
        deadline=LATER,
        evidence_from={"requests": 7},
        reason="host is warm",
        now=LATER,
    )
    assert (row.state, row.step, row.generation) == (RolloutState.PREFLIGHT, 1, 2)
    assert (row.deadline, row.evidence_from, row.changed) == (LATER, {"requests": 7}, LATER)
    later = _go(tx, row, RolloutState.SHADOW)
    assert (later.step, later.deadline, later.evidence_from) == (1, LATER, {"requests": 7})


def test_a_decision_on_an_old_generation_loses(tx: Connection) -> None:
    before = started_rollout(tx)
    _go(tx, before, RolloutState.PREFLIGHT)
    with pytest.raises(LostRace, match="at generation 2, the decision was made at 1"):
        _go(tx, before, RolloutState.PREFLIGHT)


def test_a_rollout_does_not_jump(tx: Connection) -> None:
    before = started_rollout(tx)
    with pytest.raises(LedgerError, match="cannot go from planned to promoted; from there: ab"):
        _go(tx, before, RolloutState.PROMOTED)


def test_a_rollout_that_ended_does_not_move(tx: Connection) -> None:
    ended = _go(tx, started_rollout(tx), RolloutState.ABORTED)
    with pytest.raises(LedgerError, match="has ended: aborted"):
        _go(tx, ended, RolloutState.ABORTED)


def test_each_transition_is_on_the_chain(tx: Connection) -> None:
    _go(tx, started_rollout(tx), RolloutState.PREFLIGHT)
    actions = [entry.action for entry in audit.entries(tx, "toy/rollout/1")]
    assert actions == ["rollout.started", "rollout.preflight"]


def test_an_unknown_rollout_is_an_error(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="no rollout has the number 9"):
        rollouts.get(tx, 9)


@given(st.sampled_from(sorted(set(RolloutState) - ENDED - {RolloutState.ROLLING_BACK})))
def test_every_state_that_has_not_ended_can_roll_back(state: RolloutState) -> None:
    assert RolloutState.ROLLING_BACK in LAWFUL[state]


def test_a_state_that_may_have_users_is_never_aborted() -> None:
    may_abort = {state for state in RolloutState if RolloutState.ABORTED in LAWFUL[state]}
    assert may_abort == {RolloutState.PLANNED, RolloutState.PREFLIGHT, RolloutState.SHADOW}
