"""`mlops doctor`: exit code and print-out."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.doctor import doctor, exit_code
from mlops_pipeline.cli.machine import Finding, State

FINE = Finding("Python", State.OK, "3.11.7")
LOUD = Finding("telemetry", State.WARN, "on", "export DO_NOT_TRACK=true")
DEAD = Finding("Envoy", State.BROKEN, "does not run", "pip install it")


@pytest.mark.parametrize(
    ("findings", "code"), [((FINE,), 0), ((FINE, LOUD), 0), ((FINE, DEAD, LOUD), 3)]
)
def test_only_what_is_broken_makes_the_exit_code(findings: tuple[Finding, ...], code: int) -> None:
    assert exit_code(findings) == code


def test_a_broken_setting_is_printed_with_its_mending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "[relative]")

    result = CliRunner().invoke(doctor, [])

    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    at = lines.index("broken DAGSTER_HOME: [relative] is not absolute")
    assert lines[at + 1] == "       -> give the absolute path, or unset it"


def test_json_is_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "relative")

    result = CliRunner().invoke(doctor, ["--json"])

    said = json.loads(result.stdout)
    assert (said["ok"], said["exit_code"], result.exit_code) == (False, 3, 3)
    assert {"name", "state", "found", "mend"} == set(said["findings"][0])
