"""Gathering what the judge looks at: the router's log, both servers' records, the node's view."""

from datetime import UTC, datetime

from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.access_log import AccessLog, Position, access_log_path
from mlops_pipeline.delivery.evidence import (
    LiveEvidence,
    ShadowEvidence,
    live_evidence,
    shadow_evidence,
)
from mlops_pipeline.delivery.judge import StageEvidence
from mlops_pipeline.delivery.labels import LabelEvidence, label_evidence
from mlops_pipeline.delivery.plan import LabelPlan, Phase, RolloutPlan, Stop
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.delivery.world import World, salt_of
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.serving.request_log import Arm, read_records


def gather(
    world: World, row: RolloutRow, plan: RolloutPlan, stop: Stop, view: NodeView, *, now: datetime
) -> StageEvidence:
    """Everything known about the rollout at this stop."""
    salt = salt_of(row)
    host = view.host(row.model, row.candidate)
    routed = view.counters.get(cluster_name(row.model, row.candidate))
    shadowing = stop.phase in (Phase.SHADOW, Phase.APPROVE_TRAFFIC)
    ending = stop.phase in (Phase.BAKE, Phase.APPROVE_PROMOTION)
    baking = row.evidence_from.get("baking")
    asks = stop.state is RolloutState.AWAITING_APPROVAL
    with reading(world.engine) as tx:
        said = approvals.standing(tx, row, plan, stop, now=now) if asks else None
    return StageEvidence(
        stop=stop,
        since=row.changed,
        # A server that is just back is ready for us before it is for the router.
        candidate_ready=host is not None
        and host.ready
        and (routed is None or routed.healthy_hosts > 0),
        live=_live(world, row, plan),
        shadow=_shadow(world, row, plan) if shadowing else None,
        retreat=view.retreat_of(row.model, row.candidate, salt),
        approved=said is not None and said.approved,
        unapproved="" if said is None else said.missing,
        labelled=_labelled(world, row, plan.labels) if ending and plan.labels else None,
        baking=None if baking is None else datetime.fromtimestamp(baking, UTC),
    )


def _live(world: World, row: RolloutRow, plan: RolloutPlan) -> LiveEvidence:
    begin = Position(row.evidence_from["inode"], row.evidence_from["offset"])
    log = AccessLog(access_log_path(world.settings.home), begin)
    return live_evidence(
        log.read(),
        salt=salt_of(row),
        candidate=cluster_name(row.model, row.candidate),
        stable=cluster_name(row.model, row.stable),
        guards=plan.guards,
    )


def _shadow(world: World, row: RolloutRow, plan: RolloutPlan) -> ShadowEvidence:
    folder = world.settings.request_log / row.model
    since = float(row.evidence_from["since"])
    return shadow_evidence(
        read_records(folder / row.stable, since, arm=Arm.LIVE),
        read_records(folder / row.candidate, since, arm=Arm.SHADOW),
        guards=plan.guards,
        reach=plan.score_reach,
    )


def _labelled(world: World, row: RolloutRow, plan: LabelPlan) -> LabelEvidence:
    folder = world.settings.request_log / row.model
    since = float(row.evidence_from["since"])
    return label_evidence(
        world.labels(row.model),
        candidate=read_records(folder / row.candidate, since, arm=Arm.LIVE),
        copies=read_records(folder / row.candidate, since, arm=Arm.SHADOW),
        stable=read_records(folder / row.stable, since, arm=Arm.LIVE),
        threshold=plan.threshold,
    )
