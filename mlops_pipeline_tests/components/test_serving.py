import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mlops_pipeline.components.house import House
from mlops_pipeline.components.records import RecordIOManager
from mlops_pipeline.components.serving import batch_predictions_asset
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.features.online import publish
from mlops_pipeline.ledger import champion, versions
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.registry.attestation import attest
from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.settings import read_settings
from mlops_pipeline_tests.serving.world import ROW, bundle_files, flights, probability, snapshot

NOW = datetime(2013, 5, 1, tzinfo=UTC)
OUTCOME = {"dep_delay": 0.0, "arr_delay": 0.0, "tailnum": "N1"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 7 is champion; two flights of April are stored."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    contract, settings = flights(), read_settings()
    objects = ObjectStore(settings.objects)
    key = signing_key(settings.keys)
    bundle = objects.put_tree(attest(bundle_files(contract), report="0" * 64, run="r", key=key))
    with transaction(open_ledger(settings.ledger_url)) as tx:
        versions.add(tx, contract.name, "7", bundle=bundle, lineage="0" * 64, now=NOW)
        champion.move(tx, contract.name, to="7", seen_epoch=0, reason="first", first=True, now=NOW)
    publish(settings.feature_snapshots / contract.name, snapshot(contract))
    frame = pd.DataFrame([{**ROW, **OUTCOME, "flight": n} for n in (1, 2)])
    frame["distance"] = [500.0, 2000.0]
    frame["scheduled_departure"] = pd.to_datetime(frame["scheduled_departure"])
    rows = frame[list(contract.column_names)]
    Snapshots(objects, settings.home / "partitions").store_part(contract, "2013-04", rows)
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Held here: Dagster keeps no more than a weak reference to it."""
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def materialize(month: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [batch_predictions_asset(flights())],
        partition_key=month,
        resources={"house": House(), "io_manager": RecordIOManager()},
        instance=instance,
        raise_on_error=False,
    )


def test_a_month_is_answered_by_the_champion_with_the_served_numbers(
    home: Path, instance: dg.DagsterInstance
) -> None:
    done = materialize("2013-04", instance)
    assert done.success
    told = done.output_for_node("flight_delay__batch_predictions")
    assert (told.version, told.rows, told.refused) == ("7", 2, 0)
    content = ObjectStore(read_settings().objects).get(told.digest)
    table = pq.read_table(io.BytesIO(content))
    assert table["probability"].to_pylist() == [probability(-2.0), 0.5]
    assert table["flight"].to_pylist() == [1, 2]


def test_a_month_without_rows_says_what_to_materialise(
    home: Path, instance: dg.DagsterInstance
) -> None:
    done = materialize("2013-05", instance)
    assert not done.success
    failure = done.failure_data_for_node("flight_delay__batch_predictions")
    assert failure is not None
    assert "materialise flight_delay/flights for 2013-05 first" in str(failure.user_failure_data)
