"""Sensors over all models, on by default but in a scratch instance."""

import dagster as dg

from mlops_pipeline.components.automation import sensors_on
from mlops_pipeline.components.fleet import alerts_due, run_canceled, run_failed


@dg.definitions
def fleet() -> dg.Definitions:
    """Failures become incidents, alerts are delivered, dead runs are closed."""
    status = sensors_on()
    return dg.Definitions(sensors=[run_failed(status), run_canceled(status), alerts_due(status)])
