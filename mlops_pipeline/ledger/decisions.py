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
    query = select(decisions).where(
        decisions.c.rollout_id == rollout_id, decisions.c.generation == generation
    )
    known = tx.execute(query).one_or_none()
    if known is not None:
        return as_record(known, DecisionRow)
    rollout = rollouts.get(tx, rollout_id)
    if rollout.generation != generation:
        raise LostRace(
            f"rollout {rollout_id} is at generation {rollout.generation}, the decision was made "
            f"at {generation}; read it again and decide again"
        )
    facts = msgspec.to_builtins(dict(evidence))
    tx.execute(
        insert(decisions).values(
            rollout_id=rollout_id,
            generation=generation,
            action=action,
            verdict=verdict,
            evidence=facts,
            decided=now,
        )
    )
    audit.append(
        tx,
        now=now,
        actor=actor,
        action="rollout.decided",
        subject=rollouts.subject_of(rollout.model, rollout_id),
        detail={
            "generation": generation,
            "action": action,
            "verdict": verdict,
            "evidence": facts,
        },
    )
    return DecisionRow(rollout_id, generation, action, verdict, facts, now)


def of_rollout(tx: Connection, rollout_id: int) -> tuple[DecisionRow, ...]:
    """Every decision of the rollout, in order."""
    query = select(decisions).where(decisions.c.rollout_id == rollout_id)
    rows = tx.execute(query.order_by(decisions.c.generation))
    return tuple(as_record(row, DecisionRow) for row in rows)
