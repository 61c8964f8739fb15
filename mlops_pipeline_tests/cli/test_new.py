"""`mlops new`, then `mlops contract check`: what a newcomer types."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.contract import contract
from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.cli.new import new

mlops = Edge("mlops", commands={"new": new, "contract": contract})


def test_a_new_model_says_what_to_type_and_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    made = CliRunner().invoke(mlops, ["new", "first_try", "--folder", str(tmp_path)])

    assert made.exit_code == 0, made.output
    lines = made.stdout.splitlines()
    assert f"  export PYTHONPATH={tmp_path}" in lines
    assert any(line.startswith("  export MLOPS_CONTRACTS=") for line in lines)
    monkeypatch.syspath_prepend(tmp_path)
    words = next(line for line in lines if "contract check" in line).split()[1:]
    checked = CliRunner().invoke(mlops, words)
    assert (checked.exit_code, checked.stdout) == (
        0,
        f"{tmp_path}/first_try/contract.yaml: first_try is whole\n",
    )


def test_the_default_folder_is_the_first_that_the_setting_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CONTRACTS", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)

    made = CliRunner().invoke(mlops, ["new", "second_try"])

    assert (tmp_path / "second_try" / "contract.yaml").exists()
    assert "export" not in made.stdout


def test_a_wrong_name_is_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(mlops, ["new", "No", "--folder", str(tmp_path)])

    assert result.exit_code == 4
    assert "'No' cannot name a model" in result.stderr
