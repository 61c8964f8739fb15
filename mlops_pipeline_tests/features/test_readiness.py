from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import publish
from mlops_pipeline.features.readiness import readiness
from mlops_pipeline_tests.data import tiny

CONTRACT = tiny.contract()
DEFINITION = definition_digest(CONTRACT)
SNAPSHOT = feature_snapshot(CONTRACT, count_history(CONTRACT, tiny.frame()), date(2024, 1, 5))
TODAY = date(2024, 1, 6)


def test_a_whole_and_fresh_snapshot_of_the_definition_is_ready(tmp_path: Path) -> None:
    publish(tmp_path, SNAPSHOT)
    found = readiness(tmp_path, CONTRACT, DEFINITION, TODAY)
    assert found
    assert found.snapshot == SNAPSHOT
    assert found.reason == "look-ups of 2024-01-05, 1 days old"


def test_a_missing_snapshot_says_what_to_materialise(tmp_path: Path) -> None:
    found = readiness(tmp_path / "visits", CONTRACT, DEFINITION, TODAY)
    assert not found
    assert found.reason.startswith("missing: ")
    assert "materialise visits/feature_snapshot" in found.reason


@pytest.mark.parametrize(("day", "ready"), [(14, True), (15, False)])
def test_a_snapshot_is_stale_after_the_contract_s_days(
    tmp_path: Path, day: int, ready: bool
) -> None:
    publish(tmp_path, replace(SNAPSHOT, as_of=date(2024, 2, 4)))
    contract = tiny.with_features(max_age_days=10)
    found = readiness(tmp_path, contract, DEFINITION, date(2024, 2, day))
    assert bool(found) is ready
    assert ready or "11 days old on 2024-02-15, limit 10" in found.reason


def test_a_snapshot_of_another_definition_is_named(tmp_path: Path) -> None:
    publish(tmp_path, replace(SNAPSHOT, definition="f" * 64))
    found = readiness(tmp_path, CONTRACT, DEFINITION, TODAY)
    assert not found
    assert found.reason.startswith(f"other definition: the version needs {DEFINITION[:12]}")


def test_a_damaged_or_incomplete_snapshot_or_another_model_s_is_not_ready(tmp_path: Path) -> None:
    path = publish(tmp_path / "a", SNAPSHOT)
    path.write_bytes(path.read_bytes()[:-3])
    publish(tmp_path / "b", replace(SNAPSHOT, tables={}))
    publish(tmp_path / "c", replace(SNAPSHOT, model="other"))
    reasons = [readiness(tmp_path / f, CONTRACT, DEFINITION, TODAY).reason for f in "abc"]
    assert reasons[0].startswith("damaged: ")
    assert reasons[1].startswith("incomplete: no table for shop_3d, shop_hour_9d")
    assert reasons[2].startswith("other model: ")


def test_a_model_that_looks_nothing_up_needs_no_snapshot(tmp_path: Path) -> None:
    columns = [c for c in tiny.CONTRACT["features"]["columns"] if c["kind"] != "history"]
    assert readiness(tmp_path, tiny.with_features(columns=columns), DEFINITION, TODAY)
