"""The life of a user's own model, from real rows to answers over HTTP, in one home."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_pipeline.components.drive import Driver, Ran
from mlops_pipeline.components.house import House
from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.model import model_definitions
from mlops_pipeline.components.records import RecordIOManager
from mlops_pipeline.components.tracking import mlflow_tracking
from mlops_pipeline.contract.load import load_callable, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.sources import conform
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import FeatureSnapshot, publish
from mlops_pipeline.features.served import features_as_served
from mlops_pipeline.ledger import champion, versions
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.registry.bundle import open_bundle
from mlops_pipeline.registry.standing import stored_model
from mlops_pipeline.serving.batch import BatchScorer
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline_tests.serving.waiting import wait_for

AS_OF = date(2013, 4, 1)
ASKED = 300


@dataclass
class Life:
    """A model that was trained, and what it takes to ask it."""

    contract: ModelContract
    house: House
    driver: Driver
    trained: Ran
    version: versions.VersionRow
    snapshot: FeatureSnapshot
    asked: pd.DataFrame  # rows of the first days after the training
    home: Path

    def bundle_of(self, candidate: str) -> str:
        """Digest of a candidate's bundle."""
        shown = self.trained.metadata[f"{self.contract.name}/candidate_{candidate}"]
        return str(shown["bundle"])

    def offline(self, bundle: str) -> np.ndarray:
        """Scores of the asked rows by the stored model, as training computes them."""
        values = features_as_served(self.contract, self.asked, self.snapshot).values
        return stored_model(self.house.objects, bundle).predict(values)

    def in_bulk(self, bundle: str) -> pa.Table:
        """The asked rows, scored as a table."""
        settings = self.house.settings
        folder = self.house.objects.check_out(bundle, settings.bundles / bundle)
        opened = open_bundle(folder)
        table = pa.Table.from_pandas(self.asked[self.columns], preserve_index=False)
        return BatchScorer(opened, "1", load_scorer(opened), self.snapshot).score(table)

    @property
    def columns(self) -> list[str]:
        """The columns of a request."""
        return [column.name for column in self.contract.request_columns]

    def rows(self) -> list[dict[str, Any]]:
        """The asked rows as bodies of requests."""
        frame = self.asked[self.columns]
        return [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in zip(self.columns, row, strict=True)
                if not pd.isna(value)
            }
            for row in frame.itertuples(index=False)
        ]


@contextmanager
def living(model: Path, home: Path) -> Iterator[Life]:
    """The model in the folder `model`, ingested, trained, registered and first in service."""
    place = home / "contracts" / model.name / "contract.yaml"
    place.parent.mkdir(parents=True)
    place.write_text((model / "contract.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_HOME", str(home / "state"))
        patch.setenv("MLOPS_CONTRACTS", str(home / "contracts"))
        patch.setenv("MLOPS_PROFILE", "scratch")
        patch.setenv("DAGSTER_HOME", str(home / "state" / "dagster"))
        house, contract = House(), load_contract(place)
        resources: Mapping[str, Any] = {
            "house": house,
            "io_manager": RecordIOManager(),
            "mlflow": mlflow_tracking,
        }
        definitions = dg.Definitions.merge(
            model_definitions(contract), dg.Definitions(resources=resources)
        )
        house.registry.prepare()
        with open_instance(house.settings) as instance:
            yield _born(contract, house, Driver(definitions, instance), home)
        house.ledger.dispose()


def _born(contract: ModelContract, house: House, driver: Driver, home: Path) -> Life:
    name = contract.name
    ingested = driver.run(f"{name}__ingest", months=["2013-01", "2013-03"])
    assert ingested.success, ingested.failures
    trained = driver.run(f"{name}__train", ops={f"{name}__snapshot": {"as_of": str(AS_OF)}})
    assert trained.success, trained.failures
    shown = trained.metadata[f"{name}/evaluation"]
    assert shown["verdict"] == "promote", str(shown["reasons"])
    with transaction(house.ledger) as tx:
        version = versions.all_of(tx, name)[-1]
        champion.move(
            tx, name, to=version.version, seen_epoch=0, reason="first", now=datetime.now(UTC),
            first=True,
        )  # fmt: skip
    source = load_callable(str(contract.source.function))
    past = conform(contract, source(datetime(2013, 2, 1), datetime(2013, 4, 1)))  # noqa: DTZ001
    next_days = conform(contract, source(datetime(2013, 4, 1), datetime(2013, 4, 5)))  # noqa: DTZ001
    snapshot = feature_snapshot(contract, count_history(contract, past), AS_OF)
    publish(house.settings.feature_snapshots / name, snapshot)
    asked = next_days.iloc[:: len(next_days) // ASKED].head(ASKED).reset_index(drop=True)
    return Life(contract, house, driver, trained, version, snapshot, asked, home)


@contextmanager
def served(life: Life, bundle: str, *more: str) -> Iterator[httpx.Client]:
    """A server process of that bundle, ready to be asked."""
    settings, name = life.house.settings, life.contract.name
    folder = life.house.objects.check_out(bundle, settings.bundles / bundle)
    number = life.version.version
    log = settings.request_log / name / number
    socket, said = life.home / f"{bundle[:8]}.sock", life.home / f"{bundle[:8]}.txt"
    command = [
        *(sys.executable, "-m", "mlops_pipeline.serving", "--bundle", str(folder)),
        *("--model", name, "--version", number, "--log", str(log), "--uds", str(socket)),
        *("--features", str(settings.feature_snapshots / name), "--grace", "0.1", *more),
    ]
    with said.open("wb") as sink:
        process = subprocess.Popen(command, stderr=sink)
    client = httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://version")

    def ready() -> bool:
        assert process.poll() is None, said.read_text()
        return "server=listening" in said.read_text() and client.get("/healthz").is_success

    try:
        wait_for(ready, 30)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)
