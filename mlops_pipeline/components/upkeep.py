"""Sensors of one model over what ages without anybody's doing: its rows, and its environment."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from mlops_pipeline.components.automation import Answer, answer, sensors_on
from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import name
from mlops_pipeline.components.retraining import wish
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring.causes import Cause, settle
from mlops_pipeline.monitoring.retraining import Reason
from mlops_pipeline.registry.environment import read_environment
from mlops_pipeline.registry.standing import champion_version, stored_lineage


def stale_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """No newer rows were stored for longer than the contract allows: an incident."""

    @dg.sensor(
        name=name(contract, "stale_data"),
        minimum_interval_seconds=300,
        default_status=sensors_on(),
        description="Raises an incident when no newer rows are stored for too long.",
        target=None,
    )
    def stale_data(house: House) -> dg.SkipReason:
        allowed = contract.monitoring.max_age_hours
        if allowed is None:
            return dg.SkipReason("the contract sets no monitoring.max_age_hours")
        stored = house.snapshots.parts(contract.name)
        if not stored:
            return dg.SkipReason("nothing is stored yet")
        now = datetime.now(UTC)
        local = now.replace(tzinfo=None)  # to the hour; a source's zone is its own business
        newest = min(Window.of_month(max(stored)).end, local)
        hours = (local - newest) / timedelta(hours=1)
        said = f"the newest rows are {hours:.0f} hours old, {allowed:g} allowed"
        with transaction(house.ledger) as tx:
            settle(
                tx,
                contract.name,
                Cause.STALE,
                well=hours <= allowed,
                said=f"{contract.name}: {said}",
                owner=contract.owner,
                detail={"value": round(hours, 1), "limit": allowed, "window": max(stored)},
                now=now,
            )
        return dg.SkipReason(said)

    return stale_data


def environment_sensor(contract: ModelContract) -> dg.SensorDefinition:
    """The champion was made in another environment than this one: an incident, and a rebuild."""
    sensor = name(contract, "environment")

    @dg.sensor(
        name=sensor,
        job_name=name(contract, "train"),
        minimum_interval_seconds=600,
        default_status=sensors_on(),
        description="Requests a rebuild when Python or packages are not those of the champion.",
    )
    def environment(context: dg.SensorEvaluationContext, house: House) -> Answer:
        with reading(house.ledger) as view:
            leading = champion_version(view, contract.name)
        if leading is None:
            return dg.SkipReason("there is no champion")
        then, here = stored_lineage(house.objects, leading.bundle).environment, read_environment()
        parts = ("python", "machine", "packages", "vectors")
        moved = [p for p in parts if getattr(then, p) != getattr(here, p)]
        finding = ", ".join(
            f"{p} {getattr(then, p)[:20]} -> {getattr(here, p)[:20]}" for p in moved
        )
        made = f"elsewhere: {finding}" if moved else "in this environment"
        said = f"{contract.name} version {leading.version} was made {made}"
        with transaction(house.ledger) as tx:
            settle(
                tx,
                contract.name,
                Cause.ENVIRONMENT,
                well=not moved,
                said=said,
                owner=contract.owner,
                detail={"moved": moved, "version": leading.version},
                now=datetime.now(UTC),
            )
        if not moved:
            return dg.SkipReason(said)
        reason = Reason("environment", here.packages[:12], finding, version=leading.version)
        source = RetrainSource.ENVIRONMENT
        cursor = context.cursor
        return answer(
            *wish(contract, house, reason=reason, source=source, launcher=sensor, cursor=cursor)
        )

    return environment
