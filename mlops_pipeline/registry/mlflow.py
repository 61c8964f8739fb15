"""MLflow as the registry that people browse: runs, versions, aliases. The only importer of mlflow.

Its clients are made with explicit addresses; nothing here reads or moves MLflow's global state.
MLflow knows no compare-and-set, so an alias is a picture of the ledger's pointer, never a lock.

    <run>/artifacts/version/bundle/…    the registered files (the version's source is `version/`)
    <run>/artifacts/version/MLmodel     how MLflow's own tools load them
    <run>/artifacts/evaluation/…        report, figures
"""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.bundle import CONTRACT, BundleManifest, tree_digest
from mlops_pipeline.registry.mlmodel import BUNDLE_FOLDER, FILE, mlmodel
from mlops_pipeline.registry.version import ModelVersion
from mlops_pipeline.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion

EXPERIMENT = "mlops_pipeline"
VERSION_FOLDER = "version"
EVALUATION_FOLDER = "evaluation"
ALIAS_TRIES = 5  # the first write of an alias can collide with another writer's
RunEnd = Literal["FINISHED", "FAILED", "KILLED"]

_BEFORE_IMPORT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def open_registry(settings: Settings) -> "MlflowRegistry":
    """The registry that the settings name."""
    return MlflowRegistry(settings.mlflow_uri, settings.mlflow_artifacts, EXPERIMENT)


class MlflowRegistry:
    """Runs and versions in one MLflow store."""

    def __init__(self, tracking_uri: str, artifact_root: Path, experiment: str) -> None:
        if tracking_uri.startswith("sqlite:") and not tracking_uri.startswith("sqlite:////"):
            raise RegistryError(
                f"MLFLOW_TRACKING_URI={tracking_uri} is relative to whichever folder a process "
                "runs in; give the absolute path: sqlite:////path/mlflow.db"
            )
        for name, value in _BEFORE_IMPORT.items():
            os.environ.setdefault(name, value)  # mlflow reads them while it is imported
        self.tracking_uri = tracking_uri
        self.artifact_root = artifact_root
        self.experiment = experiment
        self._known: MlflowClient | None = None

    def prepare(self) -> str:
        """The store is migrated and the experiment exists; returns the experiment's id."""
        if self.tracking_uri.startswith("sqlite:////"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(
                parents=True, exist_ok=True
            )
        with self._alone(), _told("cannot prepare the store"):
            found = self._client.get_experiment_by_name(self.experiment)
            if found is None:
                return self._client.create_experiment(
                    self.experiment, artifact_location=self.artifact_root.resolve().as_uri()
                )
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    def open_run(self, name: str, *, tags: Mapping[str, str], now: datetime) -> str:
        """A run stands open under that name; returns its id."""
        experiment = self.prepare()
        with _told(f"cannot open run {name!r}"):
            run = self._client.create_run(
                experiment, start_time=_milliseconds(now), tags=dict(tags), run_name=name
            )
        return str(run.info.run_id)

    def run_of(self, dagster_run: str) -> str | None:
        """The id of the run that dagster-mlflow opened for a Dagster run, or None."""
        with _told(f"cannot look for the run of {dagster_run}"):
            found = self._client.search_runs(
                [self.prepare()], f"tags.dagster_run_id = '{dagster_run}'", max_results=1
            )
        return str(found[0].info.run_id) if found else None

    def run_status(self, run_id: str) -> str:
        """MLflow's word for the run's state: RUNNING, FINISHED, FAILED, KILLED, SCHEDULED."""
        with _told(f"cannot read run {run_id}"):
            return str(self._client.get_run(run_id).info.status)

    def close_run(self, run_id: str, status: RunEnd, *, now: datetime | None = None) -> None:
        """The run has ended with that status."""
        with _told(f"cannot close run {run_id}"):
            end = None if now is None else _milliseconds(now)
            self._client.set_terminated(run_id, status=status, end_time=end)

    def log_evaluation(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float],
        params: Mapping[str, object],
        artifacts: Mapping[str, bytes],
        now: datetime,
    ) -> None:
        """The run shows the numbers and holds the files below `evaluation/`.

        Logging the same again changes nothing; numbers that are not finite are left out.
        """
        from mlflow.entities import Metric, Param

        at = _milliseconds(now)
        with _told(f"cannot log to run {run_id}"):
            self._client.log_batch(
                run_id,
                metrics=[Metric(k, v, at, 0) for k, v in metrics.items() if v - v == 0],
                params=[Param(name, str(value)) for name, value in params.items()],
            )
            self._store(run_id, EVALUATION_FOLDER, artifacts)

    def register(
        self,
        *,
        run_id: str,
        files: Mapping[str, bytes],
        manifest: BundleManifest,
        tags: Mapping[str, str],
    ) -> ModelVersion:
        """The bundle is a version of its model; the same lineage always gives the same version."""
        with self._alone():
            existing = self.find(manifest.model, manifest.lineage_digest)
            if existing is not None:
                return existing
            with _told(f"cannot register {manifest.model}"):
                self._require_model(manifest.model)
                bundled = {f"{BUNDLE_FOLDER}/{name}": c for name, c in files.items()}
                bundled[FILE] = mlmodel(parse_contract_json(files[CONTRACT]))
                self._store(run_id, VERSION_FOLDER, bundled)
                source = f"{self._client.get_run(run_id).info.artifact_uri}/{VERSION_FOLDER}"
                created = self._client.create_model_version(
                    manifest.model,
                    source=source,
                    run_id=run_id,
                    tags={
                        **tags,
                        "lineage": manifest.lineage_digest,
                        "bundle": tree_digest(files),
                        "contract": manifest.contract_digest,
                        "candidate": manifest.candidate,
                    },
                )
        return _version(created)

    def find(self, model: str, lineage: str) -> ModelVersion | None:
        """The version of that lineage, or None."""
        return next((v for v in self.versions(model) if v.lineage == lineage), None)

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """Every version that this system registered, oldest first."""
        with _told(f"cannot list the versions of {model}"):
            found: list[MlflowVersion] = []
            token = None
            while True:
                page = self._client.search_model_versions(f"name = '{model}'", page_token=token)
                found += page
                token = page.token
                if not token:
                    break
        ours = [_version(v) for v in found if {"lineage", "bundle"} <= set(v.tags)]
        return tuple(sorted(ours, key=lambda v: int(v.version)))

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """The alias points to the version; the last writer wins."""
        from mlflow.exceptions import MlflowException

        for left in reversed(range(ALIAS_TRIES)):
            try:
                self._client.set_registered_model_alias(model, alias, version)
                return
            except MlflowException as error:
                if not left:
                    raise RegistryError(
                        f"cannot set {model}@{alias} to version {version}: {error}"
                    ) from error

    def drop_alias(self, model: str, alias: str) -> None:
        """The alias points nowhere; dropping it again changes nothing."""
        with _told(f"cannot drop {model}@{alias}"):
            self._client.delete_registered_model_alias(model, alias)

    def alias(self, model: str, alias: str) -> str | None:
        """The version that the alias points to, or None."""
        return self.aliases(model).get(alias)

    def aliases(self, model: str) -> dict[str, str]:
        """Every alias of the model with its version; none where the model is unknown."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_registered_model(model).aliases
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise RegistryError(f"cannot read the aliases of {model}: {error}") from error
        return {str(name): str(version) for name, version in found.items()}

    def _require_model(self, model: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _store(self, run_id: str, folder: str, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="mlops-upload-") as scratch:
            for name, content in files.items():
                target = Path(scratch) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            self._client.log_artifacts(run_id, scratch, folder)

    @property
    def _client(self) -> "MlflowClient":
        if self._known is None:
            from mlflow import MlflowClient

            logging.getLogger("mlflow").setLevel(logging.WARNING)
            self._known = MlflowClient(self.tracking_uri, self.tracking_uri)
        return self._known

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within: no other process of this machine migrates or registers."""
        self.artifact_root.mkdir(parents=True, exist_ok=True)
        with (self.artifact_root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def _told(what: str) -> Iterator[None]:
    """MLflow's errors within are told as ours."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise RegistryError(f"MLflow: {what}: {error}") from error


def _version(found: "MlflowVersion") -> ModelVersion:
    return ModelVersion(
        model=str(found.name),
        version=str(found.version),
        bundle=found.tags["bundle"],
        lineage=found.tags["lineage"],
        run_id=str(found.run_id),
    )


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)
