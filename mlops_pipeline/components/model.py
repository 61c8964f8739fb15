"""One contract becomes the Dagster objects of one model."""

import dagster as dg

from mlops_pipeline.components.asking import ask_job
from mlops_pipeline.components.automation import (
    finding_sensor,
    retrain_schedule,
    retrain_sensor,
    rollout_sensor,
)
from mlops_pipeline.components.data import rows_asset, snapshot_asset, snapshot_checks
from mlops_pipeline.components.delivery import (
    approve_job,
    first_job,
    glass_check,
    rollback_job,
    step_job,
)
from mlops_pipeline.components.evaluation import evaluation_asset, gate_check
from mlops_pipeline.components.features import (
    feature_checks,
    feature_snapshot_asset,
    features_asset,
)
from mlops_pipeline.components.governance import model_card_asset, policy_check
from mlops_pipeline.components.monitoring import (
    drift_asset,
    inference_log_asset,
    labels_asset,
    live_performance_asset,
)
from mlops_pipeline.components.names import key, name
from mlops_pipeline.components.registry import checklist_check, version_asset
from mlops_pipeline.components.serving import batch_predictions_asset
from mlops_pipeline.components.tracking import end_mlflow_on_run_finished
from mlops_pipeline.components.training import candidate_asset
from mlops_pipeline.components.upkeep import environment_sensor, stale_sensor
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger.looks import LookKind
from mlops_pipeline.monitoring import tags

# One process per run: dagster-mlflow is sound only there, and a step costs 0.1 s instead of 3 s.
ONE_PROCESS = dg.in_process_executor


def model_definitions(contract: ModelContract) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of one model."""
    candidates = [candidate_asset(contract, candidate) for candidate in contract.candidates]
    return dg.Definitions(
        assets=[
            rows_asset(contract),
            snapshot_asset(contract),
            features_asset(contract),
            feature_snapshot_asset(contract),
            *candidates,
            evaluation_asset(contract),
            version_asset(contract),
            model_card_asset(contract),
            batch_predictions_asset(contract),
            inference_log_asset(contract),
            labels_asset(contract),
            live_performance_asset(contract),
            drift_asset(contract),
        ],
        asset_checks=[
            snapshot_checks(contract),
            feature_checks(contract),
            gate_check(contract),
            policy_check(contract),
            checklist_check(contract),
            glass_check(contract),
        ],
        jobs=[
            dg.define_asset_job(
                name(contract, "ingest"),
                description="Store the source's rows of some months; equal rows change nothing.",
                selection=dg.AssetSelection.assets(key(contract, contract.source.name)),
                executor_def=ONE_PROCESS,
            ),
            dg.define_asset_job(
                name(contract, "train"),
                description="From stored rows to a version that passed its gate, or a review item.",
                selection=dg.AssetSelection.assets(key(contract, "snapshot")).downstream(),
                executor_def=ONE_PROCESS,
                hooks={end_mlflow_on_run_finished},
                tags={"mlops/train": contract.name, tags.ASKED_BY: name(contract, "ask")},
            ),
            dg.define_asset_job(
                name(contract, "monitor"),
                description="One month of live answers: what they were worth, and drift.",
                selection=dg.AssetSelection.assets(key(contract, "inference_log")).downstream(),
                executor_def=ONE_PROCESS,
            ),
            ask_job(contract),
            step_job(contract),
            rollback_job(contract),
            approve_job(contract),
            first_job(contract),
        ],
        schedules=[retrain_schedule(contract)],
        sensors=[
            finding_sensor(contract, LookKind.DRIFT),
            finding_sensor(contract, LookKind.PERFORMANCE),
            retrain_sensor(contract),
            stale_sensor(contract),
            environment_sensor(contract),
            rollout_sensor(contract),
        ],
    )
