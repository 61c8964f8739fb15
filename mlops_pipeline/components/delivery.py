"""Delivery on the Dagster floor: a rollout step as a graph of ops, rollback, the first version.

A run takes one step and ends: no op sleeps through a bake. The ledger's generation fences whatever
Dagster may do twice or too late. Rollback has no pool, tag or queue slot in common with anything.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import key, name
from mlops_pipeline.components.steps import judgement_metadata, look_metadata
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.judge import Action, Judgement, judge
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import Looked, StepOutcome, act, look
from mlops_pipeline.delivery.settle import settle
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.world import World, open_world
from mlops_pipeline.errors import LostRace
from mlops_pipeline.ledger import overrides, rollouts
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.alerts import deliver_due
from mlops_pipeline.registry.projection import project_aliases

GLASS = "no_broken_glass"
Judged = tuple[Looked, Judgement]


class StepConfig(dg.Config):
    """What a step may begin with."""

    candidate: str = Field(
        default="", description="A version to begin a rollout with, where none is under way."
    )
    reason: str = Field(default="the gate passed", description="Why it is rolled out.")


class RollbackConfig(dg.Config):
    """Why, and to where."""

    reason: str = Field(description="Why the version in service must leave.")
    to: str = Field(default="", description="A proven version; empty: the one before.")


class ApprovalConfig(dg.Config):
    """Who says yes, and why."""

    approver: str = Field(description="Your name, as the audit chain shall show it.")
    reason: str = Field(description="What you looked at.")


class FirstConfig(dg.Config):
    """The version that has nothing to be compared with."""

    version: str
    reason: str = Field(description="Why it may serve without a baseline.")


def step_job(contract: ModelContract) -> dg.JobDefinition:
    """Read the world, gather evidence, judge, then one of advance, hold, roll back; tell."""

    @dg.op(
        name=name(contract, "read_world"),
        out={
            "looked": dg.Out(Looked, is_required=False),
            "done": dg.Out(Any, is_required=False),  # what needed no judgement
        },
    )
    def read_world(
        context: dg.OpExecutionContext, config: StepConfig, house: House
    ) -> Iterator[dg.Output[Any]]:
        world = _world(house)
        with reading(house.ledger) as view:
            active = rollouts.active(view, contract.name)
        if active is None and config.candidate:
            active = start_rollout(
                world, contract, candidate=config.candidate, reason=config.reason, now=_now()
            )
        if active is None:
            done = settle(world, contract.name, now=_now())
            said = f"no rollout is under way; {'; '.join(done) or 'all is settled'}"
            yield dg.Output(said, output_name="done")
            return
        seen = look(world, active.id, now=_now())
        if isinstance(seen, StepOutcome):
            yield dg.Output(seen, output_name="done")
            return
        yield dg.Output(seen, output_name="looked", metadata=look_metadata(seen))

    @dg.op(
        name=name(contract, "judge"),
        out={action.value: dg.Out(Any, is_required=False) for action in Action},
    )
    def judge_evidence(looked: Looked) -> Iterator[dg.Output[Judged]]:
        judgement = judge(looked.plan, looked.evidence, now=_now())
        yield dg.Output(
            (looked, judgement),
            output_name=judgement.action.value,
            metadata=judgement_metadata(judgement),
        )

    def acting(action: Action, what: str) -> dg.OpDefinition:
        @dg.op(name=name(contract, action.value), description=what, out=dg.Out(StepOutcome))
        def acted(house: House, judged: Any) -> StepOutcome:
            looked, judgement = judged
            try:
                return act(_world(house), looked, judgement, now=_now())
            except LostRace as error:  # another run was faster, and nothing was done twice
                return StepOutcome(looked.row, "overtaken", (str(error),), judgement)

        return acted

    advance = acting(Action.ADVANCE, "The next stop; at the last one the pointer moves.")
    hold = acting(Action.HOLD, "Nothing grows: the evidence is not there yet.")
    go_back = acting(Action.ROLL_BACK, "Zero weight first, then the record, then quarantine.")
    tell = _tell_op(contract, "tell")

    @dg.graph(name=name(contract, "rollout_step_graph"))
    def step_graph() -> None:
        looked, done = read_world.alias("read_world")()
        ways = judge_evidence.alias("judge")(looked)
        tell.alias("tell")(
            [
                done,
                advance.alias("advance")(ways.advance),
                hold.alias("hold")(ways.hold),
                go_back.alias("roll_back")(ways.roll_back),
            ]
        )

    return step_graph.to_job(
        name=name(contract, "rollout_step"),
        description="One step of the rollout under way, on evidence.",
        **_alone(max_seconds=300),
    )


def rollback_job(contract: ModelContract) -> dg.JobDefinition:
    """The version in service leaves, confirmed."""

    @dg.op(name=name(contract, "leave"), out=dg.Out(str))
    def leave(context: dg.OpExecutionContext, config: RollbackConfig, house: House) -> str:
        done = roll_back(
            _world(house),
            contract.name,
            reason=config.reason,
            by=f"dagster/{context.run_id}",
            to=config.to or None,
            now=_now(),
        )
        milliseconds = 1000 * done.confirmation.seconds_to_zero_weight
        context.add_output_metadata(
            {"left": done.left, "serving": done.serving, "zero weight after ms": milliseconds}
        )
        return done.serving

    tell = _tell_op(contract, "tell_of_rollback")

    @dg.graph(name=name(contract, "rollback_graph"))
    def back() -> None:
        tell.alias("tell")([leave.alias("leave")()])

    return back.to_job(
        name=name(contract, "rollback"),
        description="Take the version in service out, for the one before or a named one.",
        **_alone(max_seconds=300),
    )


def approve_job(contract: ModelContract) -> dg.JobDefinition:
    """A person's yes to the rollout that waits for it, given in the UI."""

    @dg.op(name=name(contract, "say_yes"), out=dg.Out(dg.Nothing))
    def say_yes(context: dg.OpExecutionContext, config: ApprovalConfig, house: House) -> None:
        with transaction(house.ledger) as tx:
            given = approvals.approve(
                tx,
                contract.name,
                approver=config.approver,
                reason=config.reason,
                now=_now(),
            )
        context.log.info(f"approved: {', '.join(item.check for item in given)}")

    @dg.graph(name=name(contract, "approve_graph"))
    def yes() -> None:
        say_yes.alias("say_yes")()

    return yes.to_job(
        name=name(contract, "approve"),
        description="Say yes to the rollout that waits; bound to the evidence that it stands on.",
        **_alone(max_seconds=60),
    )


def first_job(contract: ModelContract) -> dg.JobDefinition:
    """The first version serves; recorded as such."""

    @dg.op(name=name(contract, "serve_first"), out=dg.Out(str))
    def serve_first(context: dg.OpExecutionContext, config: FirstConfig, house: House) -> str:
        leading = deploy_first(
            _world(house),
            contract,
            version=config.version,
            reason=config.reason,
            actor=f"dagster/{context.run_id}",
            now=_now(),
        )
        return leading.version

    tell = _tell_op(contract, "tell_of_first")

    @dg.graph(name=name(contract, "deploy_first_graph"))
    def first() -> None:
        tell.alias("tell")([serve_first.alias("serve_first")()])

    return first.to_job(
        name=name(contract, "deploy_first"),
        description="Serve a first version, which is recorded as 'first version, no baseline'.",
        **_alone(max_seconds=300),
    )


def glass_check(contract: ModelContract) -> dg.AssetChecksDefinition:
    """Red from the moment that somebody breaks the glass until a normal promotion."""

    @dg.asset_check(
        asset=key(contract, "version"),
        name=GLASS,
        description="Nobody let a version past checklist and approvals since the last promotion.",
    )
    def no_broken_glass(house: House) -> dg.AssetCheckResult:
        return _glass(house, contract)

    return no_broken_glass


def _glass(house: House, contract: ModelContract) -> dg.AssetCheckResult:
    with reading(house.ledger) as view:
        standing = overrides.standing(view, contract.name)
    said = "; ".join(f"{o.actor} for version {o.version}: {o.reason}" for o in standing)
    return dg.AssetCheckResult(passed=not standing, description=said or "no glass is broken")


def _tell_op(contract: ModelContract, what: str) -> dg.OpDefinition:
    @dg.op(
        name=name(contract, what),
        description="Alerts that wait are delivered; the registry's aliases follow the ledger.",
        out=dg.Out(dg.Nothing),
    )
    def tell(context: dg.OpExecutionContext, house: House, outcomes: list[Any]) -> None:
        for outcome in outcomes:
            context.log.info(f"outcome: {outcome}")
        sent = deliver_due(house.ledger, house.settings.alert_urls, now=_now())
        repairs = project_aliases(house.ledger, house.registry, contract.name)
        mended = "; ".join(map(str, repairs)) or "none"
        found = _glass(house, contract)
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key(contract, "version"),
                check_name=GLASS,
                passed=found.passed,
                description=found.description,
                metadata={},
            )
        )
        context.log.info(f"alerts={len(sent.delivered)} unsent={len(sent.failed)} aliases={mended}")

    return tell


def _alone(*, max_seconds: int) -> dict[str, Any]:
    """In one process, with records handed over in memory, never longer than `max_seconds`."""
    return {
        "executor_def": dg.in_process_executor,
        "resource_defs": {"house": House(), "io_manager": dg.mem_io_manager},
        "tags": {"dagster/max_runtime": str(max_seconds)},
    }


def _world(house: House) -> World:
    return open_world(house.settings, house.ledger, labels=partial(_labels, house))


def _labels(house: House, model: str) -> dict[str, float]:
    """What is known by now of each prediction, from the label inbox."""
    known = inbox.by_prediction(inbox.read(house.settings.labels / model))
    return {name: one.current for name, one in known.items() if one.current is not None}


def _now() -> datetime:
    return datetime.now(UTC)
