"""What happens without being asked: schedules and sensors of one model.

Whoever wants a training asks the retrain controller: equal wishes are joined, a cool-down and a
budget are kept, and one sensor hands out each run.
"""

from datetime import UTC, datetime

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import name
from mlops_pipeline.components.retraining import run_of, wish
from mlops_pipeline.components.steps import unsettled
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import champion, retrains, rollouts, versions
from mlops_pipeline.ledger.looks import LookKind
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline.monitoring.retraining import Reason
from mlops_pipeline.monitoring.watch import standing
from mlops_pipeline.settings import read_settings

ROLLOUT_SECONDS = 10  # between two looks at a rollout
SETTLE_SECONDS = 5  # between two looks at whether everything follows the ledger
SOURCES = {
    LookKind.DRIFT: RetrainSource.DRIFT,
    LookKind.PERFORMANCE: RetrainSource.PERFORMANCE,
}
Answer = dg.SensorResult | dg.SkipReason


def finding_sensor(contract: ModelContract, kind: LookKind) -> dg.SensorDefinition:
    """The newest windows fired: train as of the end of the newest one."""
    sensor = name(contract, kind)

    @dg.sensor(
        name=sensor,
        job_name=name(contract, "train"),
        minimum_interval_seconds=60,
        default_status=sensors_on(),
        description=f"Requests training when the newest months fire for {kind}.",
    )
    def finding(context: dg.SensorEvaluationContext, house: House) -> Answer:
        with reading(house.ledger) as view:
            stands = standing(view, contract, kind)
            leading = champion.read(view, contract.name)
        if stands is None:
            return dg.SkipReason(f"nobody has looked at {kind} yet")
        look, firing = stands.look, stands.firing
        if not firing.fired:
            return dg.SkipReason(f"{look.window}: {look.outcome}; {firing.text}; {look.reason}")
        if leading is not None and leading.version != look.version:
            return dg.SkipReason(f"{look.window}: version {look.version} no longer leads")
        reason = Reason(
            metric=kind.value,
            window=look.window,
            finding=f"{look.reason}; {firing.text}",
            version=look.version,
            as_of=f"{Window.of_month(look.window).end:%Y-%m-%d}",
        )
        source, cursor = SOURCES[kind], context.cursor
        return answer(
            *wish(contract, house, reason=reason, source=source, launcher=sensor, cursor=cursor)
        )

    return finding


def retrain_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """Requests that nobody hands out get their run: of people, of CI, of a rollback, of a run that
    broke."""
    sensor = name(contract, "retrain_due")

    @dg.sensor(
        name=sensor,
        job_name=name(contract, "train"),
        minimum_interval_seconds=30,
        default_status=sensors_on(),
        description="Launches training for requests that wait, and asks for it after a rollback.",
    )
    def retrain_due(context: dg.SensorEvaluationContext, house: House) -> Answer:
        rollback = _rollback(contract, house)
        if rollback is not None and context.cursor != rollback.window:
            source = RetrainSource.ROLLBACK
            asked, _ = wish(contract, house, reason=rollback, source=source, launcher=sensor)
            return answer(asked, rollback.window)
        with transaction(house.ledger) as tx:
            request = retrains.open_request(tx, contract.name)
            if request is not None:
                request = retrains.launch(tx, request.id, by=sensor, now=datetime.now(UTC))
        if request is None:
            return dg.SkipReason("no request waits")
        if request.launched_by != sensor:
            return dg.SkipReason(f"{request.launched_by} hands out request {request.id}")
        return answer(run_of(contract, request), context.cursor)

    return retrain_due


def _rollback(contract: ModelContract, house: House) -> Reason | None:
    """The newest rollout ended in a rollback, for which nobody has asked yet."""
    with reading(house.ledger) as view:
        known = rollouts.all_of(view, contract.name)
        asked = retrains.history(view, contract.name)
    if not known or known[-1].state is not RolloutState.ROLLED_BACK:
        return None
    window = f"rollout {known[-1].id}"
    if any(reason.get("window") == window for request in asked for reason in request.reasons):
        return None
    return Reason("rollback", window, known[-1].reason, version=known[-1].candidate)


def retrain_schedule(contract: ModelContract) -> dg.ScheduleDefinition:
    """Train as of the newest stored month, whatever drift says; the controller may say no."""
    schedule = name(contract, "retrain")

    @dg.schedule(
        name=schedule,
        job_name=name(contract, "train"),
        cron_schedule=contract.retraining.schedule,
        default_status=schedules_on(),
        description="Requests training on the contract's schedule.",
    )
    def retrain(
        context: dg.ScheduleEvaluationContext, house: House
    ) -> dg.RunRequest | dg.SkipReason:
        at = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}"
        reason = Reason("schedule", at, f"cron {contract.retraining.schedule}")
        source = RetrainSource.SCHEDULE
        asked, _ = wish(contract, house, reason=reason, source=source, launcher=schedule)
        return dg.SkipReason(asked) if isinstance(asked, str) else asked

    return retrain


def rollout_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """A rollout is under way, a version waits for one, or something does not follow the ledger."""

    @dg.sensor(
        name=name(contract, "rollout_due"),
        job_name=name(contract, "rollout_step"),
        minimum_interval_seconds=SETTLE_SECONDS,
        default_status=sensors_on(),
        description="Requests the next step while a rollout is under way or a version waits, and "
        "a run that settles where router or aliases do not follow the ledger.",
    )
    def rollout_due(
        context: dg.SensorEvaluationContext, house: House
    ) -> dg.RunRequest | dg.SkipReason:
        with reading(house.ledger) as view:
            active = rollouts.active(view, contract.name)
            leading = champion.read(view, contract.name)
            known = versions.all_of(view, contract.name)
        now = int(datetime.now(UTC).timestamp())
        if active is not None:
            turn = now // ROLLOUT_SECONDS
            return dg.RunRequest(run_key=f"rollout-{active.id}-{active.generation}-{turn}")
        waiting = [v.version for v in known if v.status is VersionStatus.STAGING]
        if leading is None:
            return dg.SkipReason("there is no champion: a person deploys the first version")
        astray = unsettled(house.node, house.registry, leading)
        if astray:
            context.log.warning(f"the ledger is not followed: {astray}")
            return dg.RunRequest(run_key=f"settle-{leading.epoch}-{now // SETTLE_SECONDS}")
        if not waiting:
            return dg.SkipReason("no rollout is under way and no version waits for one")
        words = {"candidate": waiting[-1], "reason": "the gate passed"}
        return dg.RunRequest(
            run_key=f"rollout-of-{waiting[-1]}",
            run_config={"ops": {"read_world": {"config": words}}},
        )

    return rollout_due


def answer(asked: dg.RunRequest | str, cursor: str | None) -> dg.SensorResult:
    """A run to launch, or why there is none; the cursor is kept either way."""
    if isinstance(asked, str):
        return dg.SensorResult(skip_reason=asked, cursor=cursor)
    return dg.SensorResult(run_requests=[asked], cursor=cursor)


def _production() -> bool:
    return read_settings().profile == "production"


def sensors_on() -> dg.DefaultSensorStatus:
    """On by default, but in a scratch instance, which somebody drives by hand."""
    status = dg.DefaultSensorStatus
    return status.RUNNING if _production() else status.STOPPED


def schedules_on() -> dg.DefaultScheduleStatus:
    status = dg.DefaultScheduleStatus
    return status.RUNNING if _production() else status.STOPPED
