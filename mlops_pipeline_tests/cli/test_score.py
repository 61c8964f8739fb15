import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from mlops_pipeline.cli.score import score
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import Unsigned
from mlops_pipeline.features.online import publish
from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.registry.attestation import attest
from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.settings import read_settings
from mlops_pipeline_tests.serving.test_batch import row, table
from mlops_pipeline_tests.serving.world import bundle_files, flights, probability, snapshot

NOW = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 7 stands in the ledger, its look-ups are published; nobody is champion."""
    settings = read_settings({"MLOPS_HOME": str(tmp_path)})
    signed = attest(
        bundle_files(flights()), report="0" * 64, run="r", key=signing_key(settings.keys)
    )
    bundle = ObjectStore(settings.objects).put_tree(signed)
    with transaction(open_ledger(settings.ledger_url)) as tx:
        versions.add(tx, "flight_delay", "7", bundle=bundle, lineage="0" * 64, now=NOW)
    publish(settings.feature_snapshots / "flight_delay", snapshot(flights()))
    pq.write_table(table(row(), row(distance=-1.0)), tmp_path / "in.parquet")
    return tmp_path


def run(home: Path, *words: str) -> Result:
    files = [str(home / "in.parquet"), str(home / "out.parquet")]
    return CliRunner().invoke(
        score, ["flight_delay", *files, *words], env={"MLOPS_HOME": str(home)}
    )


def test_a_named_version_scores_the_file(home: Path) -> None:
    said = json.loads(run(home, "--version", "7", "--threads", "1", "--json").stdout)
    assert (said["rows"], said["scored"], said["refused"], said["version"]) == (2, 1, 1, "7")
    told = pq.read_table(home / "out.parquet")["probability"].to_pylist()
    assert told == [probability(-2.0), None]


def test_it_reads_well(home: Path) -> None:
    said = run(home, "--version", "7").stdout
    assert "1 scored by version 7, 1 refused (see column error), 0 were there already" in said


def test_without_a_champion_a_version_must_be_named(home: Path) -> None:
    done = run(home)
    assert done.exit_code != 0
    assert "flight_delay has no champion; name one with --version" in str(done.exception)


def test_a_version_that_nobody_signed_scores_nothing(home: Path) -> None:
    settings = read_settings({"MLOPS_HOME": str(home)})
    bare = ObjectStore(settings.objects).put_tree(bundle_files(flights()))
    with transaction(open_ledger(settings.ledger_url)) as tx:
        versions.add(tx, "flight_delay", "8", bundle=bare, lineage="1" * 64, now=NOW)
    done = run(home, "--version", "8")
    assert isinstance(done.exception, Unsigned)
    assert not (home / "out.parquet").exists()
