"""One MLflow run per Dagster run, through dagster-mlflow.

dagster-mlflow's resource and end hook are sound while all steps share one process, as in every job
of this package; docs/decisions/ says what breaks otherwise. Importing it costs two seconds, so both
stand behind a door that opens at run time.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from mlops_pipeline.components.house import House

HOOK = "end_mlflow_on_run_finished"


@dg.resource(description="dagster-mlflow's mlflow_tracking, on the store that settings name.")
def mlflow_tracking(context: dg.InitResourceContext) -> Iterator[Any]:
    """The MLflow run of this Dagster run, active in this process and ended with it."""
    registry = House().registry
    registry.prepare()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    job = context.run.job_name if context.run else ""
    config = {
        "experiment_name": registry.experiment,
        "mlflow_tracking_uri": registry.tracking_uri,
        "extra_tags": {"dagster.job": job},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dagster-mlflow calls itself beta when imported and made
        from dagster_mlflow.resources import mlflow_tracking as tracking

        begin: Any = tracking.resource_fn  # its stub knows only resources without a context
        opened: Iterator[Any] = begin(context.replace_config(config))
        mlflow = next(opened)
    try:
        yield mlflow
        next(opened, None)  # dagster-mlflow ends a run that an exception left
    finally:
        # The hook ends a run at its last step; where that was skipped, nobody else would.
        mlflow.end_run()


def _end_run(context: dg.HookContext, events: Sequence[dg.DagsterEvent]) -> dg.HookExecutionResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dagster_mlflow.hooks import end_mlflow_on_run_finished
    result: dg.HookExecutionResult = end_mlflow_on_run_finished.hook_fn(context, events)
    return result


end_mlflow_on_run_finished = dg.HookDefinition(
    name=HOOK, hook_fn=_end_run, required_resource_keys={"mlflow"}
)
