"""Going back: the router first, then the record; never waiting for anything to be well.

1. The node takes the candidate out of traffic and confirms it.
2. Real requests of the very units that met the candidate show the stable, and its counters stand
   still.
3. The ledger says so in one transaction: decision, state, quarantine of the lineage, incident.

Every part can be repeated; a crash in between is finished by the next call.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from mlops_pipeline.delivery.blame import condemn_version, was_let_off
from mlops_pipeline.delivery.confirm import Confirmation, confirm_retreat
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.judge import Judgement
from mlops_pipeline.delivery.moves import decided
from mlops_pipeline.delivery.world import World, await_host, salt_of
from mlops_pipeline.errors import DeliveryError, LostRace, NodeUnreachable
from mlops_pipeline.ledger import champion, rollouts, versions
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.ledger.rollouts import ENDED, RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus

HOST_SECONDS = 30.0
ATTEMPTS = 5
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """What was left, what serves now, and the proof."""

    model: str
    left: str
    serving: str
    reason: str
    confirmation: Confirmation


def roll_back(
    world: World,
    model: str,
    *,
    reason: str,
    by: str,
    now: datetime,
    to: str | None = None,
    condemn: bool = True,
) -> RollbackOutcome:
    """The model is served by the version before, confirmed; what it left is in quarantine, unless
    `condemn` is False: then the trouble was another's, and the version may be rolled out again.

    With a rollout under way its candidate leaves; else the champion does, for the version before it
    or `to`, which must have served well and must answer now.

    Raises:
        DeliveryError: there is no version to go back to.
        NodeUnreachable: the intent is recorded, but traffic did not move.
    """
    leaving = None
    for _ in range(ATTEMPTS):
        with reading(world.engine) as tx:
            row = rollouts.active(tx, model)
            leading = champion.read(tx, model)
        if leading is None:
            raise DeliveryError(f"{model} has no champion; there is nothing to roll back")
        in_charge = leading.version if row is None else row.candidate
        if leaving is not None and leaving != in_charge:
            return _left_already(world, leading, leaving, reason=reason, by=by)
        leaving = in_charge
        try:
            if row is None:
                return _leave_champion(
                    world, leading, reason=reason, by=by, now=now, to=to, condemn=condemn
                )
            outcome = end_rollout(world, row, reason=reason, by=by, now=now, condemn=condemn)
            if to in (None, outcome.serving):
                return outcome
            leaving = None  # the candidate is gone; the champion shall go, too
        except LostRace:
            logger.info("event=rollback_again model=%s", model)
    raise DeliveryError(f"{model}: somebody kept moving it during the rollback; say it again")


def end_rollout(
    world: World,
    row: RolloutRow,
    *,
    reason: str,
    by: str,
    now: datetime,
    judgement: Judgement | None = None,
    requests: int | None = None,
    condemn: bool = True,
) -> RollbackOutcome:
    """The rollout is rolled back: no traffic, recorded, quarantined, told, confirmed.

    Args:
        requests: how many the candidate had served when it was decided.
        condemn: whether its lineage goes into quarantine. A lineage that was let off once before
            does so in any case.

    Raises:
        LostRace: the rollout moved meanwhile; traffic has left the candidate already.
        NodeUnreachable: the intent is recorded, but traffic did not move.
    """
    condemn = condemn or was_let_off(world, row)
    facts = {
        "condemned": condemn,
        "reason": reason,
        "by": by,
        "judgement": None if judgement is None else msgspec.to_builtins(judgement),
        "candidate_requests": requests,
    }
    try:
        found = _take_out(world, row, reason=reason, by=by, condemn=condemn)
    except NodeUnreachable:
        facts["node"] = "unreachable: the next step takes the traffic away"
        _record(world, row, reason=reason, by=by, now=now, evidence=facts, condemn=condemn)
        raise
    evidence = {**facts, "confirmation": msgspec.to_builtins(found)}
    row = _record(world, row, reason=reason, by=by, now=now, evidence=evidence, condemn=condemn)
    with transaction(world.engine) as tx:
        decided(
            *(tx, row, RolloutState.ROLLED_BACK),
            action="confirm",
            verdict=reason,
            evidence=msgspec.to_builtins(found),
            now=now,
            actor=by,
        )
    return RollbackOutcome(row.model, row.candidate, row.stable, reason, found)


def undo_promotion(world: World, row: RolloutRow, retreat: Retreat, *, now: datetime) -> None:
    """The pointer is back at the stable: the node had retreated before the promotion reached it."""
    reason = f"retreated while it was promoted: {retreat.cause}"
    with transaction(world.engine) as tx:
        found = champion.read(tx, row.model)
        if found is None or found.version != row.candidate:
            return
        champion.move(
            tx,
            row.model,
            to=row.stable,
            seen_epoch=found.epoch,
            reason=reason,
            now=now,
            actor=retreat.by,
        )
        gone = versions.get(tx, row.model, row.candidate)
        condemn_version(world, tx, gone, row.stable, reason=reason, now=now, detail={})


def _take_out(
    world: World, row: RolloutRow, *, reason: str, by: str, condemn: bool
) -> Confirmation:
    verdict = world.clock()
    retreat = world.node.roll_back(
        row.model,
        reason=reason,
        by=by,
        version=row.candidate,
        salt=salt_of(row),
        to=row.stable,
        condemns=condemn,
    )
    return confirm_retreat(world, row.model, retreat, serving=row.stable, verdict=verdict)


def _record(
    world: World,
    row: RolloutRow,
    *,
    reason: str,
    by: str,
    now: datetime,
    evidence: Mapping[str, object],
    condemn: bool,
) -> RolloutRow:
    """Decision, state, quarantine and incident stand together in the ledger."""
    if row.state is RolloutState.ROLLING_BACK or row.state in ENDED:
        return row
    with transaction(world.engine) as tx:
        moved = decided(
            *(tx, row, RolloutState.ROLLING_BACK),
            action="roll_back",
            verdict=reason,
            evidence=evidence,
            now=now,
            actor=by,
        )
        gone = versions.get(tx, row.model, row.candidate)
        condemn_version(
            world, tx, gone, row.stable, reason=reason, now=now, detail=evidence, condemn=condemn
        )
    return moved


def _leave_champion(
    world: World,
    leading: Champion,
    *,
    reason: str,
    by: str,
    now: datetime,
    to: str | None,
    condemn: bool,
) -> RollbackOutcome:
    """Without a rollout: the champion leaves for a proven version."""
    model = leading.model
    with reading(world.engine) as tx:
        target = _target(tx, leading, to)
        gone = versions.get(tx, model, leading.version)
    await_host(world, target, timeout=HOST_SECONDS)
    verdict = world.clock()
    retreat = world.node.roll_back(model, reason=reason, by=by, to=target.version, condemns=condemn)
    found = confirm_retreat(world, model, retreat, serving=target.version, verdict=verdict)
    with transaction(world.engine) as tx:
        champion.move(
            tx,
            model,
            to=target.version,
            seen_epoch=leading.epoch,
            reason=reason,
            now=now,
            actor=by,
        )
        detail = {"confirmation": msgspec.to_builtins(found)}
        condemn_version(
            world, tx, gone, target.version, reason=reason, now=now, detail=detail, condemn=condemn
        )
    return RollbackOutcome(model, gone.version, target.version, reason, found)


def _left_already(
    world: World, leading: Champion, left: str, *, reason: str, by: str
) -> RollbackOutcome:
    """Somebody else finished what we had begun."""
    verdict = world.clock()
    retreat = world.node.roll_back(leading.model, reason=reason, by=by)
    found = confirm_retreat(world, leading.model, retreat, serving=leading.version, verdict=verdict)
    return RollbackOutcome(leading.model, left, leading.version, reason, found)


def _target(tx: Connection, leading: Champion, to: str | None) -> VersionRow:
    """The version to go back to: named, or the one before, or the last that served well."""
    model = leading.model
    known = versions.all_of(tx, model)
    fit = [
        version
        for version in known
        if version.version != leading.version
        and version.status is not VersionStatus.QUARANTINED
        and version.served is not None
    ]
    if to is None:
        fit.sort(key=lambda v: (v.version == leading.previous, v.served))
    else:
        fit = [version for version in fit if version.version == to]
    if not fit:
        wanted = "no version" if to is None else f"version {to} is none that"
        raise DeliveryError(
            f"{model}: {wanted} served well before, is not in quarantine, and is not champion; "
            f"known: {', '.join(f'{v.version} ({v.status})' for v in known)}"
        )
    return fit[-1]
