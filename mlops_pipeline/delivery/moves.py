"""What a step writes to the ledger, in the transaction of whoever calls."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.judge import Judgement
from mlops_pipeline.delivery.plan import Stop, parse_plan
from mlops_pipeline.errors import LostRace
from mlops_pipeline.ledger import champion, decisions, rollouts, versions
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState


def arrive(
    tx: Connection,
    row: RolloutRow,
    stop: Stop,
    index: int,
    *,
    marks: Mapping[str, object],
    reason: str,
    now: datetime,
    actor: str,
) -> RolloutRow:
    """The row stands at `stop`, one generation later; a wait for approval has its question."""
    plan = parse_plan(row.plan)
    arrived = rollouts.transition(
        tx,
        row.id,
        seen_generation=row.generation,
        state=stop.state,
        step=stop.step,
        deadline=now + plan.patience(stop),
        evidence_from={**row.evidence_from, **marks, "stop": index, "asked": row.generation},
        reason=reason,
        now=now,
        actor=actor,
    )
    if stop.state is RolloutState.AWAITING_APPROVAL:
        approvals.ask(tx, arrived, stop, now=now, actor=actor)
    return arrived


def move_pointer(tx: Connection, row: RolloutRow, *, now: datetime, actor: str) -> None:
    """The candidate is champion, in place of the very version that it was judged against.

    Raises:
        LostRace: the champion is another one by now.
    """
    leading = champion.read(tx, row.model)
    if leading is None or leading.version != row.stable:
        found = "none" if leading is None else leading.version
        raise LostRace(
            f"{row.model}: champion is {found}, rollout {row.id} was judged against {row.stable}; "
            "roll it back and start another one"
        )
    reason = f"rollout {row.id}"
    for version in (row.stable, row.candidate):
        versions.mark_served(tx, row.model, version, now=now, actor=actor)
    champion.move(
        tx,
        row.model,
        to=row.candidate,
        seen_epoch=leading.epoch,
        reason=reason,
        now=now,
        actor=actor,
    )


def decided(
    tx: Connection,
    row: RolloutRow,
    state: RolloutState,
    *,
    action: str,
    verdict: str,
    evidence: Mapping[str, object],
    now: datetime,
    actor: str,
) -> RolloutRow:
    """Decision and state stand together: the row is in `state`, one generation later.

    Raises:
        LostRace: it moved meanwhile.
    """
    decisions.record(
        tx,
        row.id,
        generation=row.generation,
        action=action,
        verdict=verdict,
        evidence=evidence,
        now=now,
        actor=actor,
    )
    return rollouts.transition(
        tx,
        row.id,
        seen_generation=row.generation,
        state=state,
        reason=verdict,
        now=now,
        actor=actor,
    )


def decide(
    tx: Connection,
    row: RolloutRow,
    action: str,
    judgement: Judgement,
    requests: int,
    *,
    now: datetime,
    actor: str,
) -> None:
    """The judgement stands in the ledger for this generation, with every number behind it."""
    decisions.record(
        tx,
        row.id,
        generation=row.generation,
        action=action,
        verdict="; ".join(judgement.reasons),
        evidence=evidence_of(judgement, requests),
        now=now,
        actor=actor,
    )


def evidence_of(judgement: Judgement, requests: int) -> dict[str, object]:
    """A judgement as the ledger keeps it."""
    return {"judgement": msgspec.to_builtins(judgement), "candidate_requests": requests}
