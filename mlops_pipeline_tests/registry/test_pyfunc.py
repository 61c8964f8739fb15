"""MLflow's own tools load and serve a version, verified, without any pickle."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.errors import RegistryError, Tampered, Unsigned
from mlops_pipeline.features.online import FeatureSnapshot, publish
from mlops_pipeline.registry import pyfunc
from mlops_pipeline.registry.bundle import ATTESTATION, MANIFEST, BundleManifest
from mlops_pipeline.registry.mlflow import open_registry
from mlops_pipeline.registry.mlmodel import mlmodel
from mlops_pipeline.registry.proof import Registered, Stores
from mlops_pipeline_tests.registry import world

pytestmark = [
    pytest.mark.slow,
    # MLflow 3.17 maps its tables with options that SQLAlchemy 2.1 deprecates.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]
ROW = {"at": "2024-03-01T09:30:00", "shop": "a", "amount": 90.0, "items": 3}


@dataclass(frozen=True)
class Home:
    """A home with a signed version and its look-ups."""

    stores: Stores
    known: Registered
    bundle: Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home, named by the environment as in service."""
    stores = world.open_home(tmp_path / "home")
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    known = world.registered_version(stores)
    tables = {"shop_3d": {"a": 0.5}, "shop_hour_9d": {"a|9": 0.5}}
    defaults = {"shop_3d": 0.4, "shop_hour_9d": 0.4}
    published = FeatureSnapshot(
        "visits", known.lineage.definition, date(2024, 3, 1), tables, defaults
    )
    publish(stores.settings.feature_snapshots / "visits", published)
    folder = stores.objects.check_out(known.row.bundle, tmp_path / "bundle")
    return Home(stores, known, folder)


def test_rows_of_a_request_get_a_probability_and_an_answer(home: Home) -> None:
    served = pyfunc._load_pyfunc(str(home.bundle))
    answers = served.predict(pd.DataFrame([ROW, {**ROW, "amount": 5.0}, {**ROW, "amount": None}]))
    assert answers["probability"].between(0, 1).all()
    assert answers["answer"].tolist()[:2] == [True, False]
    assert served.predict(pd.DataFrame([ROW]).iloc[:0]).empty


def test_what_is_not_as_signed_is_not_loaded(home: Home) -> None:
    model = home.bundle / "model" / "model.txt"
    model.write_bytes(model.read_bytes() + b"\n")
    with pytest.raises(Tampered, match=r"model\.txt"):
        pyfunc._load_pyfunc(str(home.bundle))
    (home.bundle / ATTESTATION).unlink()
    with pytest.raises(Unsigned, match="no registered version"):
        pyfunc._load_pyfunc(str(home.bundle))


def test_without_look_ups_the_refusal_says_what_to_publish(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = pyfunc._load_pyfunc(str(home.bundle))
    for published in (home.stores.settings.feature_snapshots / "visits").rglob("*"):
        if published.is_file():
            published.unlink()
    with pytest.raises(RegistryError, match="holds no feature snapshot of this version"):
        served.predict(pd.DataFrame([ROW]))


def test_the_file_that_mlflow_reads_is_the_same_each_time_and_names_no_pickle() -> None:
    content = mlmodel(world.contract())
    assert content == mlmodel(world.contract())
    told = json.loads(content)
    assert list(told["flavors"]) == ["python_function"]
    assert told["flavors"]["python_function"]["loader_module"] == pyfunc.__name__
    kinds = {c["name"]: (c["type"], c["required"]) for c in json.loads(told["signature"]["inputs"])}
    assert kinds == {
        "at": ("string", True),
        "shop": ("string", True),
        "amount": ("double", False),
        "items": ("long", True),
    }


def test_mlflow_models_serve_answers_for_the_champion(home: Home, tmp_path: Path) -> None:
    settings = home.stores.settings
    registry = open_registry(settings)
    files = home.stores.objects.get_tree(home.known.row.bundle)
    run = registry.open_run("train", tags={}, now=world.NOW)
    manifest = msgspec.json.decode(files[MANIFEST], type=BundleManifest)
    made = registry.register(run_id=run, files=files, manifest=manifest, tags={})
    registry.set_alias("visits", "champion", made.version)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "serve.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/visits@champion"]
    with log.open("wb") as told:
        server = subprocess.Popen(
            [*command, "-p", str(port), "--env-manager", "local", "--workers", "1"],
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it runs uvicorn
                "MLFLOW_TRACKING_URI": settings.mlflow_uri,
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "OMP_NUM_THREADS": "1",
            },
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        answer = _ask(f"http://127.0.0.1:{port}", server, log)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)
    expected = pyfunc._load_pyfunc(str(home.bundle)).predict(pd.DataFrame([ROW]))
    told = answer["predictions"][0]
    assert np.isclose(told["probability"], expected["probability"][0], rtol=0, atol=1e-12)
    assert told["answer"] is True


def _ask(
    url: str, server: "subprocess.Popen[bytes]", log: Path
) -> dict[str, list[dict[str, object]]]:
    """The answer to one row, once the server is up."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{url}/ping").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.2)
    body = {"dataframe_records": [ROW]}
    answered = httpx.post(f"{url}/invocations", json=body, timeout=30)
    assert answered.status_code == 200, answered.text
    found: dict[str, list[dict[str, object]]] = answered.json()
    return found
