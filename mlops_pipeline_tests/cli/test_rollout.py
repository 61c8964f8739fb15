"""`mlops rollout` and `mlops rollback` where there is nothing to see or nobody to ask."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlops_pipeline.cli.main import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_RUNTIME_DIR", str(tmp_path / "r")[-60:])


def call(*words: str) -> Result:
    return CliRunner().invoke(main, [*words])


def test_status_before_anything_was_deployed(tmp_path: Path) -> None:
    seen = json.loads(call("rollout", "status", "flight_delay", "--json").stdout)

    assert seen["champion"] is None
    assert seen["rollout"] is None
    assert seen["weight"] == "unknown: the node does not answer"


def test_a_rollback_without_a_champion_says_so() -> None:
    refused = call("rollback", "flight_delay", "--reason", "drill")

    assert refused.exit_code == 3
    assert "flight_delay has no champion" in refused.output


def test_a_model_without_a_contract_is_a_usage_error() -> None:
    refused = call("rollout", "start", "fligth_delay", "1", "--reason", "drill")

    assert refused.exit_code == 4
    assert "no model is named 'fligth_delay'; there are: flight_delay" in refused.output


def test_nothing_waits_for_a_yes() -> None:
    refused = call("rollout", "approve", "flight_delay", "--reason", "looked at it")

    assert refused.exit_code == 3
    assert "no rollout is under way" in refused.output


def test_a_rollback_needs_a_reason() -> None:
    refused = call("rollback", "flight_delay")

    assert refused.exit_code == 4
    assert "--reason" in refused.output


def test_every_command_can_be_asked_what_it_does() -> None:
    for name in main.list_commands(None):  # type: ignore[arg-type]
        assert call(name, "--help").exit_code == 0, name
