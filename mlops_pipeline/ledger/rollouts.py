"""Rollouts: one row per attempt to bring a version to users, moved by compare-and-set.

The row holds the intent; what the router does is the router's to say. Its generation grows with
every transition, so that a step that was decided on old facts cannot act.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from mlops_pipeline.errors import LedgerError, LostRace
from mlops_pipeline.ledger import audit, quarantine, versions
from mlops_pipeline.ledger.tables import as_record, rollouts


class RolloutState(StrEnum):
    """Where a rollout stands."""

    PLANNED = "planned"
    PREFLIGHT = "preflight"
    SHADOW = "shadow"  # answers copies of requests; no user sees it
    STEPPING = "stepping"  # answers a share of the users
    AWAITING_APPROVAL = "awaiting_approval"
    BAKE = "bake"  # answers everybody; the old champion is still warm
    HOLDING = "holding"  # nothing grows until a person or new evidence moves it
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"  # given up before any user saw it


S = RolloutState
ENDED = frozenset({S.PROMOTED, S.ROLLED_BACK, S.ABORTED})
# Where a rollout may go besides staying. Every state that can have users can roll back.
LAWFUL: Mapping[RolloutState, frozenset[RolloutState]] = {
    S.PLANNED: frozenset({S.PREFLIGHT, S.ROLLING_BACK, S.ABORTED}),
    S.PREFLIGHT: frozenset(
        {S.SHADOW, S.STEPPING, S.AWAITING_APPROVAL, S.HOLDING, S.ROLLING_BACK, S.ABORTED}
    ),
    S.SHADOW: frozenset({S.STEPPING, S.AWAITING_APPROVAL, S.HOLDING, S.ROLLING_BACK, S.ABORTED}),
    S.STEPPING: frozenset({S.AWAITING_APPROVAL, S.BAKE, S.PROMOTED, S.HOLDING, S.ROLLING_BACK}),
    S.AWAITING_APPROVAL: frozenset(
        {S.SHADOW, S.STEPPING, S.BAKE, S.PROMOTED, S.HOLDING, S.ROLLING_BACK}
    ),
    S.BAKE: frozenset({S.AWAITING_APPROVAL, S.PROMOTED, S.HOLDING, S.ROLLING_BACK}),
    S.HOLDING: frozenset(
        {S.PREFLIGHT, S.SHADOW, S.STEPPING, S.AWAITING_APPROVAL, S.BAKE, S.ROLLING_BACK}
    ),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK}),
    S.PROMOTED: frozenset(),
    S.ROLLED_BACK: frozenset(),
    S.ABORTED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """One rollout, as of its newest transition."""

    id: int
    model: str
    candidate: str
    stable: str
    state: RolloutState
    step: int  # index into the plan's steps
    generation: int
    plan: dict[str, Any]
    plan_digest: str
    started: datetime
    changed: datetime
    deadline: datetime | None  # of the present state
    evidence_from: dict[str, Any]  # where the present step's evidence begins
    reason: str


def start(
    tx: Connection,
    model: str,
    *,
    candidate: str,
    stable: str,
    plan: Mapping[str, object],
    plan_digest: str,
    reason: str,
    now: datetime,
    deadline: datetime | None = None,
    actor: str = audit.PIPELINE,
) -> RolloutRow:
    """The rollout is planned, at generation 1.

    Raises:
        LedgerError: another rollout of the model is under way, a version is unknown, or the
            candidate is in quarantine.
    """
    _may_start(tx, model, candidate, stable)
    number: int = tx.execute(
        insert(rollouts)
        .values(
            model=model,
            candidate=candidate,
            stable=stable,
            state=S.PLANNED,
            step=0,
            generation=1,
            plan=msgspec.to_builtins(dict(plan)),
            plan_digest=plan_digest,
            started=now,
            changed=now,
            deadline=deadline,
            evidence_from={},
            reason=reason,
        )
        .returning(rollouts.c.id)
    ).scalar_one()
    row = get(tx, number)
    detail = {"candidate": candidate, "stable": stable, "plan": plan_digest, "reason": reason}
    _note(tx, row, "started", detail, actor=actor)
    return row


def active(tx: Connection, model: str) -> RolloutRow | None:
    """The model's rollout that has not ended; there is at most one."""
    query = select(rollouts).where(rollouts.c.model == model, rollouts.c.state.not_in(ENDED))
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, RolloutRow)


def get(tx: Connection, rollout_id: int) -> RolloutRow:
    """The rollout of that number.

    Raises:
        LedgerError: there is none.
    """
    row = tx.execute(select(rollouts).where(rollouts.c.id == rollout_id)).one_or_none()
    if row is None:
        raise LedgerError(f"no rollout has the number {rollout_id}")
    return as_record(row, RolloutRow)


def all_of(tx: Connection, model: str) -> tuple[RolloutRow, ...]:
    """Every rollout of the model, oldest first."""
    query = select(rollouts).where(rollouts.c.model == model).order_by(rollouts.c.id)
    return tuple(as_record(row, RolloutRow) for row in tx.execute(query))


def transition(
    tx: Connection,
    rollout_id: int,
    *,
    seen_generation: int,
    state: RolloutState,
    reason: str,
    now: datetime,
    step: int | None = None,
    deadline: datetime | None = None,
    evidence_from: Mapping[str, object] | None = None,
    actor: str = audit.PIPELINE,
) -> RolloutRow:
    """The rollout is in `state`, one generation later.

    Args:
        seen_generation: the generation on which the decision rests.
        step: missing: as before; so are `deadline` and `evidence_from`.

    Raises:
        LostRace: the rollout moved meanwhile.
        LedgerError: no rollout goes from its present state to `state`.
    """
    before = get(tx, rollout_id)
    if before.generation != seen_generation:
        raise LostRace(
            f"rollout {rollout_id} is at generation {before.generation}, the decision was made at "
            f"{seen_generation}; read it again and decide again"
        )
    _may_go(before, state)
    after = replace(
        before,
        state=state,
        generation=seen_generation + 1,
        reason=reason,
        changed=now,
        step=before.step if step is None else step,
        deadline=deadline or before.deadline,
        evidence_from=before.evidence_from
        if evidence_from is None
        else msgspec.to_builtins(dict(evidence_from)),
    )
    _store(tx, after)
    detail = {"from": before.state, "to": state, "step": after.step, "reason": reason}
    _note(tx, after, state, {**detail, "generation": after.generation}, actor=actor)
    return after


def subject_of(model: str, rollout_id: int) -> str:
    """How the audit chain names a rollout."""
    return f"{model}/rollout/{rollout_id}"


def _store(tx: Connection, after: RolloutRow) -> None:
    seen = after.generation - 1
    moved = tx.execute(
        update(rollouts)
        .where(rollouts.c.id == after.id, rollouts.c.generation == seen)
        .values(
            state=after.state,
            generation=after.generation,
            reason=after.reason,
            changed=after.changed,
            step=after.step,
            deadline=after.deadline,
            evidence_from=after.evidence_from,
        )
    )
    if moved.rowcount != 1:
        raise LostRace(f"rollout {after.id} moved beyond generation {seen}; read it again")


def _note(
    tx: Connection, row: RolloutRow, event: str, detail: Mapping[str, object], *, actor: str
) -> None:
    audit.append(
        tx,
        now=row.changed,
        actor=actor,
        action=f"rollout.{event}",
        subject=subject_of(row.model, row.id),
        detail=detail,
    )


def _may_start(tx: Connection, model: str, candidate: str, stable: str) -> None:
    busy = active(tx, model)
    if busy is not None:
        raise LedgerError(
            f"{model}: rollout {busy.id} of version {busy.candidate} is {busy.state}; "
            "wait for it or roll it back"
        )
    lineage = versions.get(tx, model, candidate).lineage
    versions.get(tx, model, stable)
    if quarantine.is_quarantined(tx, model, lineage):
        raise LedgerError(f"{model} version {candidate} is in quarantine: train a new one")


def _may_go(before: RolloutRow, state: RolloutState) -> None:
    if before.state in ENDED:
        raise LedgerError(f"rollout {before.id} has ended: {before.state}; start a new one")
    if state is not before.state and state not in LAWFUL[before.state]:
        onward = ", ".join(sorted(LAWFUL[before.state]))
        raise LedgerError(
            f"rollout {before.id} cannot go from {before.state} to {state}; from there: {onward}"
        )
