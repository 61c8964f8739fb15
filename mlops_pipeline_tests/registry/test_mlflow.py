"""The registry against a real MLflow store in a folder."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.bundle import MANIFEST, BundleManifest, open_bundle, tree_digest
from mlops_pipeline.registry.mlflow import MlflowRegistry, open_registry
from mlops_pipeline.registry.version import ModelVersion
from mlops_pipeline.settings import read_settings
from mlops_pipeline_tests.registry.parts import bundle

pytestmark = [
    pytest.mark.slow,
    # MLflow 3.17 maps its tables with options that SQLAlchemy 2.1 deprecates.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]
NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MlflowRegistry:
    """A store that several tests share, each with a model of its own."""
    home = tmp_path_factory.mktemp("mlflow")
    registry = MlflowRegistry(f"sqlite:///{home}/db/mlflow.db", home / "artifacts", "tests")
    registry.prepare()
    return registry


def manifest_of(files: dict[str, bytes], model: str) -> BundleManifest:
    """The manifest, as if of that model."""
    return replace(msgspec.json.decode(files[MANIFEST], type=BundleManifest), model=model)


def registered(
    store: MlflowRegistry, model: str, *, seed: int = 1, run_id: str | None = None
) -> ModelVersion:
    """A version of that model whose lineage has that seed."""
    files = bundle(seed=seed)
    return store.register(
        run_id=run_id or store.open_run("train", tags={}, now=NOW),
        files=files,
        manifest=manifest_of(files, model),
        tags={"verdict": "promote"},
    )


def test_preparing_twice_finds_the_same_experiment(store: MlflowRegistry) -> None:
    assert store.prepare() == store.prepare()


def test_a_deleted_experiment_is_restored(store: MlflowRegistry) -> None:
    other = MlflowRegistry(store.tracking_uri, store.artifact_root, "deleted")
    experiment = other.prepare()
    other._client.delete_experiment(experiment)
    assert other.prepare() == experiment
    assert other.open_run("again", tags={}, now=NOW)


def test_a_run_ends_with_the_status_it_was_given(store: MlflowRegistry) -> None:
    for status in ("FINISHED", "FAILED", "KILLED"):
        run_id = store.open_run("train", tags={"dagster/run": "1"}, now=NOW)
        assert store.run_status(run_id) == "RUNNING"
        store.close_run(run_id, status, now=NOW)  # type: ignore[arg-type]
        assert store.run_status(run_id) == status


def test_an_unknown_run_is_named(store: MlflowRegistry) -> None:
    with pytest.raises(RegistryError, match=r"MLflow: cannot read run nowhere: .*not found"):
        store.run_status("nowhere")


def test_a_version_carries_its_lineage_and_its_files(store: MlflowRegistry) -> None:
    run_id = store.open_run("train", tags={}, now=NOW)
    version = registered(store, "carried", run_id=run_id)
    assert (version.model, version.version, version.run_id) == ("carried", "1", run_id)
    assert version.bundle == tree_digest(bundle())
    stored = store._client.get_model_version("carried", "1")
    assert stored.tags["verdict"] == "promote"
    assert stored.tags["lineage"] == version.lineage
    folder = Path(stored.source.removeprefix("file://")) / "bundle"
    assert open_bundle(folder).manifest.lineage_digest == version.lineage


def test_the_same_lineage_is_the_same_version_even_from_another_run(store: MlflowRegistry) -> None:
    first = registered(store, "same")
    assert registered(store, "same") == first
    other = registered(store, "same", seed=2)
    assert other.version == "2"
    assert store.versions("same") == (first, other)
    assert store.find("same", other.lineage) == other
    assert store.find("same", "0" * 64) is None


def test_eight_registrations_at_once_give_one_version(store: MlflowRegistry) -> None:
    registries = [
        MlflowRegistry(store.tracking_uri, store.artifact_root, "tests") for _ in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda registry: registered(registry, "raced"), registries))
    assert {version.version for version in found} == {"1"}
    assert len(store.versions("raced")) == 1


def test_an_alias_moves_and_is_read_back(store: MlflowRegistry) -> None:
    registered(store, "aliased")
    registered(store, "aliased", seed=2)
    assert store.alias("aliased", "champion") is None
    store.set_alias("aliased", "champion", "1")
    store.set_alias("aliased", "champion", "2")
    assert store.alias("aliased", "champion") == "2"


def test_an_alias_of_a_model_that_is_not_there_is_none(store: MlflowRegistry) -> None:
    assert store.alias("nobody", "champion") is None
    assert store.versions("nobody") == ()


def test_an_alias_to_a_version_that_is_not_there_is_refused(store: MlflowRegistry) -> None:
    registered(store, "missing")
    with pytest.raises(RegistryError, match=r"cannot set missing@champion to version 9"):
        store.set_alias("missing", "champion", "9")


def test_an_evaluation_is_logged_and_may_be_logged_again(store: MlflowRegistry) -> None:
    run_id = store.open_run("train", tags={}, now=NOW)
    for _ in range(2):
        store.log_evaluation(
            run_id,
            metrics={"roc_auc": 0.7, "f1": float("nan")},
            params={"num_leaves": 31},
            artifacts={"report.html": b"<p>", "figures/criteria.png": b"PNG"},
            now=NOW,
        )
    run = store._client.get_run(run_id)
    assert run.data.metrics == {"roc_auc": 0.7}
    assert run.data.params == {"num_leaves": "31"}
    held = store.artifact_root / run_id / "artifacts" / "evaluation"
    assert (held / "report.html").read_bytes() == b"<p>"
    assert (held / "figures" / "criteria.png").read_bytes() == b"PNG"


def test_a_relative_sqlite_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"sqlite:///mlflow.db is relative .* absolute path"):
        MlflowRegistry("sqlite:///mlflow.db", tmp_path, "tests")


def test_the_settings_name_a_registry_that_can_be_prepared(tmp_path: Path) -> None:
    registry = open_registry(read_settings({"MLOPS_HOME": str(tmp_path / "home")}))
    assert registry.prepare()
    assert (tmp_path / "home" / "mlflow" / "mlflow.db").exists()
