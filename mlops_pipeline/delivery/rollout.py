"""One step of a rollout: read the world, judge, act once by compare-and-set, confirm, return.

The ledger's row is the intent: its state and step say how traffic shall be split, its generation is
the fence that the node checks. So a step first makes the router obey the row (which finishes what a
crash left undone), and only then looks for the next move. Going back is the other way round: the
router first, then the record.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mlops_pipeline.delivery.access_log import access_log_path, end_of
from mlops_pipeline.delivery.gather import gather
from mlops_pipeline.delivery.judge import Action, Judgement, StageEvidence, judge
from mlops_pipeline.delivery.moves import arrive, decide, decided, evidence_of, move_pointer
from mlops_pipeline.delivery.plan import Phase, RolloutPlan, Stop, itinerary, parse_plan
from mlops_pipeline.delivery.preflight import SchemaFinding, schema_finding, waits_for
from mlops_pipeline.delivery.rollback import end_rollout
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.settle import settle
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.delivery.world import Notice, Runbook, World, salt_of
from mlops_pipeline.errors import StaleGeneration
from mlops_pipeline.ledger import overrides, rollouts
from mlops_pipeline.ledger.audit import PIPELINE
from mlops_pipeline.ledger.rollouts import ENDED, RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading, transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one step did, and why."""

    rollout: RolloutRow
    action: str  # advance, hold, roll_back, promote, done
    reasons: tuple[str, ...]
    judgement: Judgement | None = None
    requests: int = 0  # that the candidate has answered for users

    @property
    def ended(self) -> bool:
        """Whether the rollout is over."""
        return self.rollout.state in ENDED


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a rollout found: enough to judge, and to act on the judgement."""

    row: RolloutRow
    plan: RolloutPlan
    stop: Stop
    evidence: StageEvidence

    @property
    def requests(self) -> int:
        """That the candidate has answered for users."""
        return self.evidence.live.candidate_requests if self.evidence.live is not None else 0


def step(world: World, rollout_id: int, *, now: datetime, actor: str = PIPELINE) -> StepOutcome:
    """The rollout took at most one step; call again until the outcome holds or has ended.

    Raises:
        LostRace: somebody else moved it meanwhile; nothing was done twice.
        NodeUnreachable: the node does not answer; nothing was advanced.
    """
    looked = look(world, rollout_id, now=now, actor=actor)
    if isinstance(looked, StepOutcome):
        return looked
    judgement = judge(looked.plan, looked.evidence, now=now)
    return act(world, looked, judgement, now=now, actor=actor)


def look(
    world: World, rollout_id: int, *, now: datetime, actor: str = PIPELINE
) -> Looked | StepOutcome:
    """The router obeys the row, and the evidence is gathered; or the outcome, where a move does not
    depend on evidence: preflight, a rollback that was begun, a rollout that has ended."""
    with reading(world.engine) as tx:
        row = rollouts.get(tx, rollout_id)
    if row.state in ENDED:
        return StepOutcome(row, "done", settle(world, row.model, now=now))
    if row.state is RolloutState.ROLLING_BACK:
        end_rollout(world, row, reason=row.reason, by=actor, now=now)
        return StepOutcome(_again(world, row), "roll_back", (row.reason,))
    if row.state in (RolloutState.PLANNED, RolloutState.PREFLIGHT):
        return _preflight(world, row, now=now, actor=actor)
    plan = parse_plan(row.plan)
    stop = itinerary(plan)[row.evidence_from["stop"]]
    view = _obey(world, row, plan, stop)
    return Looked(row, plan, stop, gather(world, row, plan, stop, view, now=now))


def act(
    world: World, looked: Looked, judgement: Judgement, *, now: datetime, actor: str = PIPELINE
) -> StepOutcome:
    """The judgement is carried out, provided that the rollout has not moved since the look.

    Raises:
        LostRace: it has; look again.
    """
    row = looked.row
    logger.info(
        "event=judged rollout=%d state=%s step=%d action=%s reasons=%s",
        *(row.id, row.state, row.step, judgement.action, judgement.reasons),
    )
    if judgement.action is Action.HOLD:
        return _hold(world, looked, judgement, now=now, actor=actor)
    if judgement.action is Action.ADVANCE:
        return _advance(world, looked, judgement, now=now, actor=actor)
    end_rollout(
        world,
        row,
        reason=judgement.reasons[0],
        by=actor,
        now=now,
        judgement=judgement,
        requests=looked.requests,
        condemn=judgement.condemns,
    )
    after = _again(world, row)
    return StepOutcome(after, "roll_back", judgement.reasons, judgement, looked.requests)


def _preflight(world: World, row: RolloutRow, *, now: datetime, actor: str) -> StepOutcome:
    """Servers are warm, the way back is proven and users' requests are understood before a copy of
    one is sent; a candidate that would refuse them is given up."""
    plan = parse_plan(row.plan)
    if row.state is RolloutState.PLANNED:
        with transaction(world.engine) as tx:
            row = rollouts.transition(
                tx,
                row.id,
                seen_generation=row.generation,
                state=RolloutState.PREFLIGHT,
                reason="start",
                now=now,
                actor=actor,
            )
    missing = waits_for(world, row)
    if missing:
        return StepOutcome(row, "hold", (missing,))
    schema = None if plan.glass_until else schema_finding(world, row, plan)
    if schema is not None and schema.share > plan.max_refused:
        return _give_up(world, row, plan, schema, now=now, actor=actor)
    stop = itinerary(plan)[0]
    begin = end_of(access_log_path(world.settings.home))
    with transaction(world.engine) as tx:
        row = arrive(
            *(tx, row, stop, 0),
            marks={"inode": begin.inode, "offset": begin.offset, "since": now.timestamp()},
            reason="both servers are ready",
            now=now,
            actor=actor,
        )
    _obey(world, row, plan, stop)
    return StepOutcome(row, "advance", ("both servers are ready",))


def _give_up(
    world: World,
    row: RolloutRow,
    plan: RolloutPlan,
    schema: SchemaFinding,
    *,
    now: datetime,
    actor: str,
) -> StepOutcome:
    """No user has met the candidate, and somebody hears why none will."""
    said = (
        f"it would refuse what users send: {schema.share:.3g} > max_refused "
        f"{plan.max_refused:g} ({schema})"
    )
    with transaction(world.engine) as tx:
        row = decided(
            *(tx, row, RolloutState.ABORTED),
            action="refuse",
            verdict=said,
            evidence={"schema": msgspec.to_builtins(schema), "limit": plan.max_refused},
            now=now,
            actor=actor,
        )
        cause = f"version {row.candidate} refuses requests"
        summary = f"{row.model}: version {row.candidate} is not rolled out: {said}"
        world.notify(tx, Notice(row.model, cause, summary, schema.fields, Runbook.REFUSES), now=now)
    return StepOutcome(row, "refuse", (said,))


def _obey(world: World, row: RolloutRow, plan: RolloutPlan, stop: Stop) -> NodeView:
    """The router splits as the row says, unless the node retreated or a server is down."""
    view = world.node.state()
    wanted = Arms(row.model, row.stable, row.candidate, stop.weight, stop.shadow, salt_of(row))
    held = view.routes.get(row.model)
    fence = (row.id, row.generation)
    if held is not None and (held.fence.rollout, held.fence.generation) == fence:
        return view  # obeyed before, or retreated since
    if view.retreat_of(row.model, row.candidate, salt_of(row)) is not None:
        return view
    for version in wanted.versions:
        host = view.host(row.model, version)
        if host is None or not host.alive:
            return view
    try:
        world.node.put_routes(
            row.model,
            stable=wanted.stable,
            candidate=wanted.candidate,
            weight=wanted.weight,
            shadow=wanted.shadow,
            salt=wanted.salt,
            rollout=row.id,
            generation=row.generation,
            timeout_ms=plan.timeout_ms,
            consecutive_failures=plan.consecutive_failures,
        )
    except StaleGeneration:
        view = world.node.state()
        if view.retreat_of(row.model, row.candidate, salt_of(row)) is None:
            raise
        return view  # the reflex was faster; the judge will see it
    return world.node.state()


def _hold(
    world: World, looked: Looked, judgement: Judgement, *, now: datetime, actor: str
) -> StepOutcome:
    """Nothing grows. Past its deadline the rollout says so in the ledger, once."""
    row, requests = looked.row, looked.requests
    waits = looked.stop.state is RolloutState.AWAITING_APPROVAL
    if judgement.overdue and not waits and row.state is not RolloutState.HOLDING:
        with transaction(world.engine) as tx:
            row = decided(
                *(tx, row, RolloutState.HOLDING),
                action="hold",
                verdict="; ".join(judgement.reasons),
                evidence=evidence_of(judgement, requests),
                now=now,
                actor=actor,
            )
    return StepOutcome(row, "hold", judgement.reasons, judgement, requests)


def _advance(
    world: World, looked: Looked, judgement: Judgement, *, now: datetime, actor: str
) -> StepOutcome:
    """The row stands at the next stop (or again at the one it held at), then the router obeys."""
    row, plan, requests = looked.row, looked.plan, looked.requests
    index: int = row.evidence_from["stop"]
    if row.state is not RolloutState.HOLDING:
        index += 1
    stop = itinerary(plan)[index]
    promotes = stop.phase is Phase.PROMOTED
    action = "promote" if promotes else "advance"
    reasons = judgement.reasons
    with transaction(world.engine) as tx:
        decide(tx, row, action, judgement, requests, now=now, actor=actor)
        if promotes:
            move_pointer(tx, row, now=now, actor=actor)
            if plan.glass_until is None:
                overrides.close(tx, row.model, why=f"rollout {row.id}", now=now, actor=actor)
        reason = "; ".join(reasons)
        marks = {}
        if stop.phase is Phase.BAKE:  # after a hold it has baked for what it has
            marks["baking"] = row.evidence_from.get("baking", now.timestamp())
        row = arrive(tx, row, stop, index, marks=marks, reason=reason, now=now, actor=actor)
    if promotes:
        reasons = (*reasons, *settle(world, row.model, now=now))
    else:
        _obey(world, row, plan, stop)
    return StepOutcome(row, action, reasons, judgement, requests)


def _again(world: World, row: RolloutRow) -> RolloutRow:
    with reading(world.engine) as tx:
        return rollouts.get(tx, row.id)
