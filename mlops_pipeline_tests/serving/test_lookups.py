from datetime import date
from pathlib import Path

import pytest

from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import POINTER, publish
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import changed, flights, snapshot

CONTRACT = flights()
DEFINITION = definition_digest(CONTRACT)


def test_there_is_no_snapshot_before_one_is_published(tmp_path: Path) -> None:
    lookups = Lookups(tmp_path, CONTRACT, DEFINITION)
    lookups.look()
    assert lookups.current is None
    assert lookups.as_of is None


def test_a_newer_snapshot_replaces_the_current_one_while_the_server_runs(tmp_path: Path) -> None:
    publish(tmp_path, snapshot(CONTRACT))
    lookups = Lookups(tmp_path, CONTRACT, DEFINITION)
    lookups.start()
    assert lookups.as_of == date(2013, 4, 1)
    publish(tmp_path, snapshot(CONTRACT, as_of=date(2013, 4, 2)))
    wait_for(lambda: lookups.as_of == date(2013, 4, 2))
    lookups.close()


def test_an_unreadable_snapshot_is_counted_once_and_the_last_good_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, snapshot(CONTRACT))
    lookups = Lookups(tmp_path, CONTRACT, DEFINITION)
    lookups.look()
    path = publish(tmp_path, snapshot(CONTRACT, as_of=date(2013, 4, 2)))
    path.write_bytes(b"altered")
    lookups.look()
    lookups.look()
    assert (lookups.as_of, lookups.failures) == (date(2013, 4, 1), 1)
    assert "features=unreadable" in caplog.text


def test_a_snapshot_repaired_under_another_digest_is_taken(tmp_path: Path) -> None:
    lookups = Lookups(tmp_path, CONTRACT, DEFINITION)
    publish(tmp_path, snapshot(CONTRACT))
    (tmp_path / DEFINITION / POINTER).write_text("0" * 64)
    lookups.look()
    assert lookups.failures == 1
    (tmp_path / DEFINITION / POINTER).unlink()
    publish(tmp_path, snapshot(CONTRACT))
    lookups.look()
    assert lookups.as_of == date(2013, 4, 1)


def test_a_model_without_history_needs_no_snapshot(tmp_path: Path) -> None:
    derived = [f.model_dump(mode="json") for f in CONTRACT.derived]
    watched = [{"column": "temp", "method": "psi", "threshold": 0.2}]
    plain = changed(CONTRACT, {"features.columns": derived, "monitoring.drift": watched})
    lookups = Lookups(tmp_path, plain, definition_digest(plain))
    assert not lookups.needed
    assert lookups.current is not None
    assert lookups.as_of is None
