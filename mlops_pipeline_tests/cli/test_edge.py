"""Errors at the edge: one line, one exit code, and one JSON object where JSON was asked for."""

import json

import click
import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.errors import (
    CiError,
    ContractError,
    DagsterUnreachable,
    LaunchRefused,
    LostRace,
    MlopsError,
    SettingsError,
)

ERRORS: dict[str, BaseException] = {
    error.__class__.__name__: error
    for error in (
        ContractError("x:1: name: wrong"),
        SettingsError("MLOPS_PORT=x"),
        LaunchRefused("no such job"),
        CiError("Dagster failed"),
        DagsterUnreachable("no answer"),
        LostRace("epoch 3 is not 4"),
        KeyboardInterrupt(),
        click.Abort(),
    )
}


@click.group(cls=Edge)
def tool() -> None:
    """A tool."""


@tool.command()
@click.argument("what")
@click.option("--json", "as_json", is_flag=True)
def fail(what: str, as_json: bool) -> None:
    raise ERRORS[what]


@tool.command()
@click.argument("code", type=int)
def leave(code: int) -> None:
    click.get_current_context().exit(code)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("ContractError", 4),
        ("SettingsError", 4),
        ("LaunchRefused", 4),
        ("CiError", 3),
        ("DagsterUnreachable", 3),
        ("LostRace", 3),
    ],
)
def test_an_expected_error_is_one_line_and_a_code(what: str, code: int) -> None:
    result = CliRunner().invoke(tool, ["fail", what])

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == f"Error: {ERRORS[what]}\n"


@pytest.mark.parametrize("what", ["KeyboardInterrupt", "Abort"])
def test_an_interruption_has_its_own_code(what: str) -> None:
    result = CliRunner().invoke(tool, ["fail", what])

    assert (result.exit_code, result.stderr.strip()) == (130, "interrupted")


@pytest.mark.parametrize(
    "words", [["no-such-command"], ["fail"], ["fail", "x", "--no-such-option"]]
)
def test_wrong_words_are_usage_not_inconclusive(words: list[str]) -> None:
    result = CliRunner().invoke(tool, words)

    assert result.exit_code == 4
    assert "Error: " in result.stderr


def test_with_json_the_error_is_also_an_object() -> None:
    result = CliRunner().invoke(tool, ["fail", "CiError", "--json"])

    said = {"ok": False, "exit_code": 3, "error": "Dagster failed"}
    assert json.loads(result.stdout) == said
    assert result.exit_code == 3


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_command_chooses_its_own_code(code: int) -> None:
    assert CliRunner().invoke(tool, ["leave", str(code)]).exit_code == code


def test_help_is_no_error() -> None:
    assert CliRunner().invoke(tool, ["--help"]).exit_code == 0


def test_a_caller_that_handles_errors_itself_gets_them() -> None:
    with pytest.raises(MlopsError, match="Dagster failed"):
        tool.main(["fail", "CiError"], standalone_mode=False)
