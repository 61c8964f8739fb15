"""What happens without being asked: schedules and sensors of one model.

Every request for training goes through the ledger: equal wishes are joined, a cool-down is kept.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mlops_pipeline.components.evaluation import RETRAIN_TAG
from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import key, name
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import champion, retrains, rollouts, versions
from mlops_pipeline.ledger.retrains import RetrainRequest, RetrainSource
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline.settings import read_settings

ROLLOUT_SECONDS = 10  # between two looks at a rollout


def drift_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """The newest look at drift fired: train as of the end of its window."""

    @dg.sensor(
        name=name(contract, "drift"),
        job_name=name(contract, "train"),
        minimum_interval_seconds=60,
        default_status=sensors_on(),
        description="Requests training when the newest month drifted.",
    )
    def drift(context: dg.SensorEvaluationContext, house: House) -> dg.SensorResult | dg.SkipReason:
        event = context.instance.get_latest_materialization_event(key(contract, "drift"))
        seen = event.asset_materialization if event else None
        if seen is None:
            return dg.SkipReason("nobody has looked at drift yet")
        told = {label: value.value for label, value in seen.metadata.items()}
        if not told["fired"]:
            return dg.SkipReason(f"{told['month']}: {told['reason']}")
        if context.cursor == told["report"]:
            return dg.SkipReason(f"{told['month']}: training was requested already")
        why = {"metric": "drift", "window": told["month"], "finding": told["reason"]}
        end = Window.of_month(str(told["month"])).end
        return _ask(contract, house, RetrainSource.DRIFT, why, f"{told['report']}", end)

    return drift


def retrain_schedule(contract: ModelContract) -> dg.ScheduleDefinition:
    """Train as of the newest stored month, whatever drift says."""

    @dg.schedule(
        name=name(contract, "retrain"),
        job_name=name(contract, "train"),
        cron_schedule=contract.retraining.schedule,
        default_status=schedules_on(),
        description="Requests training on the contract's schedule.",
    )
    def retrain(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = context.scheduled_execution_time
        return dg.RunRequest(
            run_key=f"{name(contract, 'schedule')}-{at:%Y-%m-%dT%H:%M}",
            tags={"mlops/reason": "schedule"},
        )

    return retrain


def rollout_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """A rollout is under way, or a version waits for one: take the next step."""

    @dg.sensor(
        name=name(contract, "rollout_due"),
        job_name=name(contract, "rollout_step"),
        minimum_interval_seconds=ROLLOUT_SECONDS,
        default_status=sensors_on(),
        description="Requests the next step while a rollout is under way or a version waits.",
    )
    def rollout_due(
        context: dg.SensorEvaluationContext, house: House
    ) -> dg.RunRequest | dg.SkipReason:
        with reading(house.ledger) as view:
            active = rollouts.active(view, contract.name)
            leading = champion.read(view, contract.name)
            known = versions.all_of(view, contract.name)
        turn = int(datetime.now(UTC).timestamp()) // ROLLOUT_SECONDS
        if active is not None:
            return dg.RunRequest(run_key=f"rollout-{active.id}-{active.generation}-{turn}")
        waiting = [v.version for v in known if v.status is VersionStatus.STAGING]
        if leading is None:
            return dg.SkipReason("there is no champion: a person deploys the first version")
        if not waiting:
            return dg.SkipReason("no rollout is under way and no version waits for one")
        return dg.RunRequest(
            run_key=f"rollout-of-{waiting[-1]}",
            run_config=_config(
                "read_world",
                {"candidate": waiting[-1], "reason": "the gate passed"},
            ),
        )

    return rollout_due


def _ask(
    contract: ModelContract,
    house: House,
    source: RetrainSource,
    why: Mapping[str, Any],
    cause: str,
    end: datetime,
) -> dg.SensorResult | dg.SkipReason:
    """One run for one cause; the ledger says whether it is time."""
    run_key = f"{name(contract, source)}-{cause[:16]}"
    with transaction(house.ledger) as tx:
        asked = retrains.request(
            tx,
            contract.name,
            reason=why,
            source=source,
            cooldown=timedelta(hours=contract.retraining.cooldown_hours),
            now=datetime.now(UTC),
        )
    if asked is None:
        return dg.SkipReason("the last training has just ended: cooling down")
    training = _training(contract, asked, run_key, why, end)
    return dg.SensorResult(run_requests=[training], cursor=cause)


def _training(
    contract: ModelContract,
    asked: RetrainRequest,
    run_key: str,
    why: Mapping[str, Any],
    end: datetime,
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        job_name=name(contract, "train"),
        run_config=_config(name(contract, "snapshot"), {"as_of": f"{end:%Y-%m-%d}"}),
        tags={
            RETRAIN_TAG: str(asked.id),
            "mlops/train": contract.name,
            "mlops/reason": f"{why['metric']} {why['window']}",
        },
    )


def _config(op: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"ops": {op: {"config": dict(values)}}}


def _production() -> bool:
    return read_settings().profile == "production"


def sensors_on() -> dg.DefaultSensorStatus:
    """On by default, but in a scratch instance, which somebody drives by hand."""
    status = dg.DefaultSensorStatus
    return status.RUNNING if _production() else status.STOPPED


def schedules_on() -> dg.DefaultScheduleStatus:
    status = dg.DefaultScheduleStatus
    return status.RUNNING if _production() else status.STOPPED
