"""Giving a rollout up without blaming anybody: its version may be rolled out again."""

from dataclasses import dataclass
from datetime import datetime

from mlops_pipeline.delivery.moves import decided
from mlops_pipeline.delivery.rollback import end_rollout
from mlops_pipeline.delivery.world import World, salt_of
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import rollouts
from mlops_pipeline.ledger.rollouts import LAWFUL, RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading, transaction


@dataclass(frozen=True, slots=True)
class Aborted:
    """How the rollout ended: `aborted` before any user met the candidate, else `rolled_back`."""

    rollout: RolloutRow
    users_met_it: bool


def abort_rollout(world: World, model: str, *, reason: str, by: str, now: datetime) -> Aborted:
    """The rollout under way has ended and its candidate has no traffic; nothing is in quarantine.

    Raises:
        DeliveryError: no rollout is under way.
        LostRace: it moved meanwhile; say it again.
        NodeUnreachable: the node does not answer; a rollout with users goes on rolling back.
    """
    with reading(world.engine) as tx:
        row = rollouts.active(tx, model)
    if row is None:
        raise DeliveryError(f"{model}: no rollout is under way; nothing to abort")
    if RolloutState.ABORTED not in LAWFUL[row.state]:
        end_rollout(world, row, reason=reason, by=by, now=now, condemn=False)
        with reading(world.engine) as tx:
            return Aborted(rollouts.get(tx, row.id), users_met_it=True)
    retreat = world.node.roll_back(
        model,
        reason=reason,
        by=by,
        version=row.candidate,
        salt=salt_of(row),
        to=row.stable,
        condemns=False,
    )
    with transaction(world.engine) as tx:
        ended = decided(
            *(tx, row, RolloutState.ABORTED),
            action="abort",
            verdict=reason,
            evidence={"by": by, "condemned": False, "weight": retreat.weight},
            now=now,
            actor=by,
        )
    return Aborted(ended, users_met_it=False)
