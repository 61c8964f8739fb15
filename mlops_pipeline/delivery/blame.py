"""Whose fault a rollback was: only answers, or a person's word, condemn a lineage.

A server that was killed, a socket that was deleted or a disk that was full say nothing about what
the model answers; its traffic leaves all the same, and the version may be rolled out again. Once:
a lineage whose server fails it in a second rollout goes into quarantine like any other.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from mlops_pipeline.delivery.world import Notice, Runbook, World
from mlops_pipeline.ledger import decisions, quarantine, rollouts
from mlops_pipeline.ledger.decisions import DecisionRow
from mlops_pipeline.ledger.rollouts import RolloutRow
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.ledger.versions import VersionRow


def was_let_off(world: World, row: RolloutRow) -> bool:
    """Whether the candidate's server failed it in an earlier rollout: twice is no accident."""
    with reading(world.engine) as tx:
        for earlier in rollouts.all_of(tx, row.model):
            if earlier.id < row.id and earlier.candidate == row.candidate:
                told = decisions.of_rollout(tx, earlier.id)
                if any(d.evidence.get("condemned") is False and _by_reflex(d) for d in told):
                    return True
    return False


def _by_reflex(decision: DecisionRow) -> bool:
    judged = decision.evidence.get("judgement") or {}
    return decision.action == "roll_back" and judged.get("guard") == "reflex"


def condemn_version(
    world: World,
    tx: Connection,
    gone: VersionRow,
    serving: str,
    *,
    reason: str,
    now: datetime,
    detail: Mapping[str, object],
    condemn: bool = True,
) -> None:
    """The lineage is in quarantine where it is to blame, and somebody is told in any case."""
    if condemn:
        quarantine.put(tx, gone.model, gone.lineage, version=gone.version, reason=reason, now=now)
    summary = f"{gone.model}: version {gone.version} was rolled back to {serving}: {reason}"
    cause = f"rollback of version {gone.version}"
    world.notify(tx, Notice(gone.model, cause, summary, detail, Runbook.ROLLED_BACK), now=now)
