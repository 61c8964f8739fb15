"""The code location: what loads, what it costs, and what everything carries."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlops_pipeline.components.model import model_definitions
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.definitions import defs
from mlops_pipeline.settings import PACKAGE_MODELS

HEAVY = ("torch", "mlflow", "evidently", "lightgbm", "onnxruntime", "matplotlib.pyplot")
LOAD = """
import json, sys
from mlops_pipeline.definitions import defs
loaded = defs()
jobs = sorted(job.name for job in loaded.resolve_all_job_defs())
print(json.dumps([[name for name in %r if name in sys.modules], jobs]))
"""


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return defs()


def test_loading_needs_no_state_and_imports_nothing_heavy(tmp_path: Path) -> None:
    home = tmp_path / "untouched"
    environment = {**os.environ, "MLOPS_HOME": str(home)}
    environment.pop("DAGSTER_HOME", None)

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD % (HEAVY,)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    heavy, jobs = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert {
        "flight_delay__train",
        "flight_delay__monitor",
        "flight_delay__rollout_step",
        "flight_delay__rollback",
    } <= set(jobs)
    assert not home.exists()


def test_every_asset_says_who_owns_it_what_it_is_and_which_code_made_it(
    loaded: dg.Definitions,
) -> None:
    specs = loaded.resolve_all_asset_specs()

    assert len(specs) >= 10
    for spec in specs:
        assert spec.key.path[0] == "flight_delay"
        assert list(spec.owners) == ["team:flights"], spec.key
        assert spec.kinds, spec.key
        assert spec.group_name == "flight_delay"
        assert spec.code_version, spec.key
        assert spec.description, spec.key


def test_checks_that_the_contract_calls_errors_block_and_warnings_do_not(
    loaded: dg.Definitions,
) -> None:
    graph = loaded.resolve_asset_graph()
    blocking = {
        key.name: graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
        if key.asset_key.path[-1] == "snapshot"
    }

    assert {"schema", "ranges", "label_rate"} <= {name for name, hard in blocking.items() if hard}
    assert [blocking["ranges_warn"], blocking["distribution"]] == [False, False]


def test_rollback_shares_no_tag_with_anything_that_can_be_stuck(loaded: dg.Definitions) -> None:
    train = loaded.resolve_job_def("flight_delay__train")
    back = loaded.resolve_job_def("flight_delay__rollback")

    assert "mlops/train" in train.tags
    assert "mlops/train" not in back.tags
    assert float(back.tags["dagster/max_runtime"]) <= 300
    assert all(node.definition.pool is None for node in back.graph.nodes)  # type: ignore[union-attr]


def test_a_rollout_step_reads_judges_and_takes_one_of_three_ways(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_job_def("flight_delay__rollout_step").graph

    assert [node.name for node in graph.nodes_in_topological_order][:2] == ["read_world", "judge"]
    assert {node.name for node in graph.nodes} == {
        "read_world",
        "judge",
        "advance",
        "hold",
        "roll_back",
        "tell",
    }


@pytest.mark.parametrize(
    ("profile", "status"),
    [
        ("production", dg.DefaultSensorStatus.RUNNING),
        ("scratch", dg.DefaultSensorStatus.STOPPED),
    ],
)
def test_sensors_run_by_default_but_in_a_scratch_instance(
    monkeypatch: pytest.MonkeyPatch, profile: str, status: dg.DefaultSensorStatus
) -> None:
    monkeypatch.setenv("MLOPS_PROFILE", profile)

    made = model_definitions(load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml"))

    assert made.sensors
    assert {sensor.default_status for sensor in made.sensors} == {status}
    assert {s.default_status.value for s in made.schedules or ()} == {status.value}
