"""Sensors over all models: runs that ended badly, alerts that wait, aliases, and the heartbeat."""

from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from mlops_pipeline.components.evaluation import REVIEW_TAG
from mlops_pipeline.components.house import House
from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger import retrains, versions
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring import tags
from mlops_pipeline.monitoring.alerts import deliver_due
from mlops_pipeline.monitoring.causes import (
    FLEET,
    LONGEST_SUMMARY,
    PLATFORM,
    Cause,
    recovered,
    settle,
    tell,
)
from mlops_pipeline.monitoring.heartbeat import beat
from mlops_pipeline.monitoring.retraining import broke
from mlops_pipeline.registry.projection import project_aliases

RunEnd = Literal["FINISHED", "FAILED", "KILLED"]
WILL_RETRY = "dagster/will_retry"


def run_failed(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """A failed run is an incident of its job, its MLflow run is closed, and the request that it
    answered waits for another attempt or is closed, too."""

    @dg.run_failure_sensor(
        name="fleet__run_failed", default_status=status, monitor_all_code_locations=False
    )
    def failed(context: dg.RunFailureSensorContext, house: House) -> None:
        run, now = context.dagster_run, datetime.now(UTC)
        close_tracking(house, run.run_id, "FAILED")
        if run.tags.get(WILL_RETRY) == "true":
            return
        model = model_of(run.job_name)
        contract = contract_of(house, model)
        said = f"{run.job_name} failed: {context.failure_event.message}"[:LONGEST_SUMMARY]
        with transaction(house.ledger) as tx:
            if tags.RETRAIN in run.tags and contract is not None:
                broke(tx, contract, int(run.tags[tags.RETRAIN]), error=said, now=now)
            settle(
                tx,
                model,
                Cause.RUN,
                of=run.job_name,
                well=False,
                said=said,
                owner=owner_of(house, model),
                detail={"run": run.run_id, "tags": dict(run.tags)},
                now=now,
            )

    return failed


def run_worked(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """A job that works again resolves the incident of its failure; a run that answers a retrain
    request is named there."""

    @dg.run_status_sensor(
        name="fleet__run_worked",
        run_status=dg.DagsterRunStatus.SUCCESS,
        default_status=status,
    )
    def worked(context: dg.RunStatusSensorContext, house: House) -> None:
        run, now = context.dagster_run, datetime.now(UTC)
        with transaction(house.ledger) as tx:
            if tags.RETRAIN in run.tags:
                retrains.ran(tx, int(run.tags[tags.RETRAIN]), run_id=run.run_id)
            recovered(
                tx,
                model_of(run.job_name),
                Cause.RUN,
                of=run.job_name,
                reason=f"run {run.run_id} ended well",
                now=now,
            )

    return worked


def run_past_controller(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """A training that the retrain controller was not asked for is told, with its reason."""

    @dg.run_status_sensor(
        name="fleet__run_past_controller",
        run_status=dg.DagsterRunStatus.STARTED,
        default_status=status,
    )
    def past(context: dg.RunStatusSensorContext, house: House) -> None:
        run = context.dagster_run
        model = model_of(run.job_name)
        if run.job_name != f"{model}__train" or {tags.RETRAIN, REVIEW_TAG} & run.tags.keys():
            return
        why = run.tags.get(tags.PAST_CONTROLLER, "no reason was given")
        with transaction(house.ledger) as tx:
            tell(
                tx,
                model,
                Cause.OVERRIDE,
                owner=owner_of(house, model),
                summary=f"{model} is trained past the retrain controller: {why}",
                detail={"reason": why, "run": run.run_id, "tags": dict(run.tags)},
                now=datetime.now(UTC),
            )

    return past


def run_canceled(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The MLflow run of a canceled run is closed as killed, its request as canceled."""

    @dg.run_status_sensor(
        name="fleet__run_canceled",
        run_status=dg.DagsterRunStatus.CANCELED,
        default_status=status,
    )
    def canceled(context: dg.RunStatusSensorContext, house: House) -> None:
        run = context.dagster_run
        close_tracking(house, run.run_id, "KILLED")
        if tags.RETRAIN in run.tags:
            with transaction(house.ledger) as tx:
                number = int(run.tags[tags.RETRAIN])
                retrains.close(tx, number, outcome="canceled", now=datetime.now(UTC))

    return canceled


def alerts_due(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """What waits in the outbox is delivered, again and again until it is."""

    @dg.sensor(
        name="fleet__alerts_due",
        minimum_interval_seconds=30,
        default_status=status,
        description="Delivers alerts that wait; an alert that cannot be delivered waits visibly.",
        target=None,
    )
    def alerts(house: House) -> dg.SkipReason:
        sent = deliver_due(house.ledger, house.settings.alert_urls, now=datetime.now(UTC))
        waiting = "; ".join(f"incident {u.incident}: {u.error}" for u in sent.failed)
        return dg.SkipReason(f"{len(sent.delivered)} delivered; waiting: {waiting or 'none'}")

    return alerts


def aliases_follow(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The registry's aliases are what the ledger says, whoever moved them or died half way."""

    @dg.sensor(
        name="fleet__aliases",
        minimum_interval_seconds=60,
        default_status=status,
        description="Mends MLflow's aliases where they differ from the ledger, and says which.",
        target=None,
    )
    def follow(house: House) -> dg.SkipReason:
        with reading(house.ledger) as view:
            models = versions.models(view)
        repairs = [r for m in models for r in project_aliases(house.ledger, house.registry, m)]
        said = "; ".join(map(str, repairs)) or "none"
        return dg.SkipReason(f"{len(models)} models looked at; mended: {said}")

    return follow


def heartbeat(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Others know that the daemon lives: the serving node misses this beat."""

    @dg.sensor(
        name="fleet__heartbeat",
        minimum_interval_seconds=30,
        default_status=status,
        description="Says that the daemon lives; the serving node raises an alert when it stops.",
        target=None,
    )
    def lives(house: House) -> dg.SkipReason:
        now = datetime.now(UTC)
        beat(house.settings.home, now)
        return dg.SkipReason(f"alive at {now:%H:%M:%S} UTC")

    return lives


def model_of(job: str) -> str:
    """The model that a job belongs to."""
    return job.partition("__")[0] if "__" in job else FLEET


def owner_of(house: House, model: str) -> str:
    """Whom an incident of that model calls."""
    contract = contract_of(house, model)
    return PLATFORM if contract is None else contract.owner


def contract_of(house: House, model: str) -> ModelContract | None:
    """The contract of that model, or None for what belongs to none."""
    path = find_contracts(house.settings.contract_folders).get(model)
    return None if path is None else load_contract(path)


def close_tracking(house: House, run_id: str, status: RunEnd) -> str | None:
    """The MLflow run of a Dagster run that died is closed; its id, where there was one.

    Neither dagster-mlflow's hook nor its resource runs in a process that was killed.
    """
    found = house.registry.run_of(run_id)
    if found is None or house.registry.run_status(found) != "RUNNING":
        return None
    house.registry.close_run(found, status)
    return found
