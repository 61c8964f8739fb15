"""What every asset and op is given."""

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.records import RecordIOManager
from mlops_pipeline.components.tracking import mlflow_tracking


@dg.definitions
def resources() -> dg.Definitions:
    """The doors of the ground floor, records between assets, and the run's MLflow run."""
    return dg.Definitions(
        resources={
            "house": House(),
            "io_manager": RecordIOManager(),
            "mlflow": mlflow_tracking,
        },
        executor=dg.in_process_executor,
    )
