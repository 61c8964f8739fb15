"""A job of one op on the real tracking resource: run as a process, it can be killed."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.tracking import end_mlflow_on_run_finished, mlflow_tracking
from mlops_pipeline.settings import read_settings


@dg.op
def first(mlflow: dg.ResourceParam[Any]) -> int:
    mlflow.log_metric("seen", 1.0)
    return 1


@dg.op(out=dg.Out(int, is_required=False))
def second(context: dg.OpExecutionContext, mlflow: dg.ResourceParam[Any], given: int):  # type: ignore[no-untyped-def]
    what = os.environ["TRACKED"]
    if what == "fail":
        raise ValueError("on purpose")
    if what == "sleep":
        Path(os.environ["TRACKED_MARK"]).write_text(context.run_id)
        time.sleep(60)
    if what != "skip":
        yield dg.Output(given + 1)


@dg.op
def third(mlflow: dg.ResourceParam[Any], given: int) -> int:
    mlflow.log_metric("seen", float(given))
    return given


@dg.job(
    resource_defs={"mlflow": mlflow_tracking},
    executor_def=dg.in_process_executor,
    hooks={end_mlflow_on_run_finished},
)
def tracked() -> None:
    third(second(first()))


def run() -> dg.ExecuteInProcessResult:
    """The job in this process, on the instance below MLOPS_HOME."""
    instance = open_instance(read_settings())
    return tracked.execute_in_process(instance=instance, raise_on_error=False)


if __name__ == "__main__":
    sys.exit(0 if run().success else 1)
