"""Decisions: what was decided at each generation of a rollout, and on which evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from mlops_pipeline.errors import LostRace
from mlops_pipeline.ledger import audit, rollouts
from mlops_pipeline.ledger.tables import as_record, decisions


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision; there is one per generation, whoever asks how often."""

    rollout_id: int
    generation: int
    action: str
    verdict: str
    evidence: dict[str, Any]
    decided: datetime


def record(
    tx: Connection,
    rollout_id: int,
    *,
    generation: int,
    action: str,
    verdict: str,
    evidence: Mapping[str, object],
    now: datetime,
    actor: str = audit.PIPELINE,
) -> DecisionRow:
    """The decision that stands for this generation: this one, or the one that came before it.

    A step that is run again after a crash gets back what it decided the first time, and acts on
    that.

    Raises:
        LostRace: the rollout is at another generation, and nothing was decided at this one.
    """
    known = find(tx, rollout_id, generation)
    if known is not None:
        return known
    rollout = rollouts.get(tx, rollout_id)
    if rollout.generation != generation:
        raise LostRace(
            f"rollout {rollout_id} is at generation {rollout.generation}, the decision was made "
            f"at {generation}; read it again and decide again"
        )
    facts = msgspec.to_builtins(dict(evidence))
    said = {"generation": generation, "action": action, "verdict": verdict, "evidence": facts}
    tx.execute(insert(decisions).values(rollout_id=rollout_id, decided=now, **said))
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="rollout.decided",
        subject=rollouts.subject_of(rollout.model, rollout_id),
        detail=said,
    )
    return DecisionRow(rollout_id, generation, action, verdict, facts, now)


def find(tx: Connection, rollout_id: int, generation: int) -> DecisionRow | None:
    """The decision at that generation, or None where there is none."""
    query = select(decisions).where(
        decisions.c.rollout_id == rollout_id, decisions.c.generation == generation
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(row, DecisionRow)


def of_rollout(tx: Connection, rollout_id: int) -> tuple[DecisionRow, ...]:
    """Every decision of the rollout, in order."""
    query = select(decisions).where(decisions.c.rollout_id == rollout_id)
    rows = tx.execute(query.order_by(decisions.c.generation))
    return tuple(as_record(row, DecisionRow) for row in rows)
