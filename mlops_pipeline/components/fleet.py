"""Sensors over all models: runs that ended badly, alerts that wait, aliases that lag behind."""

from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.incidents import IncidentSeverity
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.monitoring.alerts import deliver_due

FLEET = "fleet"  # the model of incidents that belong to no model
RunEnd = Literal["FINISHED", "FAILED", "KILLED"]


def run_failed(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """A failed run is an incident of its job, and its MLflow run is closed."""

    @dg.run_failure_sensor(
        name="fleet__run_failed", default_status=status, monitor_all_code_locations=False
    )
    def failed(context: dg.RunFailureSensorContext, house: House) -> None:
        run = context.dagster_run
        close_tracking(house, run.run_id, "FAILED")
        with transaction(house.ledger) as tx:
            incidents.raise_incident(
                tx,
                run.job_name.partition("__")[0] if "__" in run.job_name else FLEET,
                cause=f"run of {run.job_name} failed",
                severity=IncidentSeverity.WARNING,
                summary=f"{run.job_name} failed: {context.failure_event.message}"[:500],
                detail={"run": run.run_id, "tags": dict(run.tags)},
                now=datetime.now(UTC),
            )

    return failed


def run_canceled(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The MLflow run of a canceled run is closed as killed."""

    @dg.run_status_sensor(
        name="fleet__run_canceled",
        run_status=dg.DagsterRunStatus.CANCELED,
        default_status=status,
    )
    def canceled(context: dg.RunStatusSensorContext, house: House) -> None:
        close_tracking(house, context.dagster_run.run_id, "KILLED")

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


def close_tracking(house: House, run_id: str, status: RunEnd) -> str | None:
    """The MLflow run of a Dagster run that died is closed; its id, where there was one.

    Neither dagster-mlflow's hook nor its resource runs in a process that was killed.
    """
    found = house.registry.run_of(run_id)
    if found is None or house.registry.run_status(found) != "RUNNING":
        return None
    house.registry.close_run(found, status)
    return found
