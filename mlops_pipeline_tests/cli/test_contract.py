"""`mlops contract`: whole contracts are named, broken ones end with exit code 4."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.contract import contract
from mlops_pipeline_tests.contract.rows import SMALL, line_of

FUNCTIONS = """\
def rows(start, end): ...
def rows_of_nothing(): ...
def nothing(row): return {}
def too_many(row): return {"colour": row["weight"]}
def undeclared(row): return {"weight": row["parcel"]}
def not_elementwise(row): return {"weight": max(row["weight"], 1)}
def not_the_same(row): return {"weight": row["weight"] * 0 + getattr(row["weight"], "size", 1)}
def broken(row): return 1 / 0
def lost(row): raise LookupError("no table")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder beside the functions that its contract may name."""
    (tmp_path / "functions_to_check.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "parcels").mkdir()
    return tmp_path / "parcels"


def write(folder: Path, source: str = "rows", function: str = "nothing") -> Path:
    text = SMALL.replace("json:loads", f"functions_to_check:{source}")
    path = folder / "contract.yaml"
    path.write_text(text.replace("json:dumps", f"functions_to_check:{function}"))
    return path


def test_a_whole_contract_is_said_to_be_whole(folder: Path) -> None:
    path = write(folder)

    result = CliRunner().invoke(contract, ["check", str(folder)])

    assert (result.exit_code, result.stdout) == (0, f"{path}: parcels is whole\n")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("no_such", "has no callable 'no_such'"),
        ("rows", "(start, end) cannot be called with (row): missing a required argument: 'end'"),
        ("too_many", "gave colour, which no feature declares"),
        ("undeclared", "read 'parcel', which no feature declares"),
        ("not_elementwise", "cannot be applied to whole columns: The truth value of an array"),
        ("not_the_same", ": weight is 1.0 for one row, but 2.0 in a column"),
        ("broken", "division by zero"),
        ("lost", "LookupError: no table"),
    ],
)
def test_a_feature_function_that_breaks_its_word_is_named(
    folder: Path, function: str, reason: str
) -> None:
    path = write(folder, function=function)

    result = CliRunner().invoke(contract, ["check", str(path)])

    assert result.exit_code == 4
    line = line_of('function: "json:dumps"')
    assert result.stdout.startswith(f"{path}:{line}: features.function: ")
    assert reason in result.stdout


def test_a_source_that_takes_no_window_is_named(folder: Path) -> None:
    path = write(folder, source="rows_of_nothing")

    result = CliRunner().invoke(contract, ["check", str(path)])

    place = f"{path}:{line_of('json:loads')}: source.function: "
    assert result.stdout.startswith(place)
    assert "cannot be called with (start, end): too many positional arguments" in result.stdout


def test_a_folder_of_another_name_is_named(folder: Path) -> None:
    path = write(folder.rename(folder.parent / "letters"))

    result = CliRunner().invoke(contract, ["check", str(path)])

    reason = "'parcels' lies in the folder 'letters'; give both one name"
    assert result.stdout == f"{path}:2: name: {reason}\n"


def test_json_holds_every_contract_and_its_problems(folder: Path) -> None:
    good, bad = write(folder), folder / "bad.yaml"
    bad.write_text(SMALL.replace("seed: 0", "").replace("task: binary", "task: ternary"))

    result = CliRunner().invoke(contract, ["check", str(good), str(bad), "--json"])

    said = json.loads(result.stdout)
    assert (result.exit_code, said["ok"], said["exit_code"]) == (4, False, 4)
    first, second = said["contracts"]
    assert (first["ok"], first["name"], len(first["digest"])) == (True, "parcels", 64)
    assert second["problems"] == [
        f"{bad}:{line_of('task: binary')}: task: "
        "Input should be 'binary', 'regression' or 'multiclass'; got 'ternary'"
    ]


def test_without_a_path_every_known_contract_is_checked() -> None:
    result = CliRunner().invoke(contract, ["check"])

    assert result.exit_code == 0, result.output
    assert "flight_delay is whole" in result.stdout


def test_a_folder_without_contracts_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CONTRACTS", str(tmp_path))

    result = CliRunner().invoke(contract, ["check"])

    assert result.exit_code == 4
    assert "make one with: mlops new NAME" in result.stderr


def test_the_schema_is_printed_or_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(contract, ["schema"])
    written = CliRunner().invoke(contract, ["schema", "--output", str(tmp_path / "s.json")])

    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert json.loads(printed.stdout) == json.loads((tmp_path / "s.json").read_text())
    assert json.loads(printed.stdout)["title"] == "Model contract"
