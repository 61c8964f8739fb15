"""Sensors over all models, on by default but in a scratch instance."""

import dagster as dg

from mlops_pipeline.components.automation import sensors_on
from mlops_pipeline.components.fleet import (
    alerts_due,
    aliases_follow,
    heartbeat,
    run_canceled,
    run_failed,
    run_past_controller,
    run_worked,
)
from mlops_pipeline.components.vigil import checks_watch, sensors_watch


@dg.definitions
def fleet() -> dg.Definitions:
    """Failures become incidents, alerts are delivered, aliases mended, dead runs closed."""
    status = sensors_on()
    kinds = (
        run_failed,
        run_worked,
        run_canceled,
        run_past_controller,
        alerts_due,
        aliases_follow,
        heartbeat,
        checks_watch,
        sensors_watch,
    )
    return dg.Definitions(sensors=[kind(status) for kind in kinds])
