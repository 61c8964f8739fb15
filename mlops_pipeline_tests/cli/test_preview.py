"""`mlops snapshots preview`: a source is tried before anything is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mlops_pipeline.cli.main import main
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.bad_inputs import BAD_INPUTS, DATABASE, PLACES, as_csv, month, url_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MLOPS_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setenv(DATABASE, url_of(tmp_path))
    return tmp_path


def preview(home: Path, asked: str = "2024-01", *words: str, **parts: Any) -> Result:
    file = home / "contracts" / "visits" / "contract.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({**tiny.CONTRACT, **parts}, sort_keys=False))
    typed = ["snapshots", "preview", "visits", asked, *words]
    return CliRunner().invoke(main, typed, catch_exceptions=False)


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_a_bad_input_ends_as_one_line_that_names_it(name: str, home: Path) -> None:
    bad = BAD_INPUTS[name]
    result = preview(home, source={**PLACES, **bad.spoil(home)})
    assert result.exit_code == 3
    with pytest.raises(AssertionError, match=bad.says):
        raise AssertionError(result.output)
    assert len(result.output.splitlines()) == 1


def test_a_contract_that_names_an_unknown_column_is_told_with_its_line(home: Path) -> None:
    result = preview(home, entity=["visitor", "gate"])
    assert result.exit_code == 4
    assert "contract.yaml:9: entity.1: no column is named 'gate'" in result.output


def test_good_rows_are_counted_and_nothing_is_stored(home: Path) -> None:
    result = preview(home)
    assert result.exit_code == 0
    assert result.output == "7 rows of 2024-01, 16 checks, 0 failed\n"
    assert not (home / "state").exists()


def test_failing_rows_are_shown_before_they_are_kept(home: Path) -> None:
    rows = month("2024-01").assign(items=0)
    (home / "x.csv").write_text(as_csv(rows))
    words = {"kind": "csv", "location": f"{home}/x.csv"}
    result = preview(home, source={**PLACES, **words})
    assert result.exit_code == 1
    assert "error  ranges  items: outside 1 to 9 in 7 of 7 rows" in result.output
    assert "column=items  reason=outside 1 to 9  found=0" in result.output
    told = json.loads(
        preview(home, "2024-01", "--json", source={**PLACES, **words}).output.splitlines()[-1]
    )
    assert (told["ok"], told["rows"]) == (False, 7)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [("2024-1", 3, "'2024-1' is no month; write it as 2013-02"), ("../x", 3, "'../x' is no month")],
)
def test_what_is_no_month_is_refused(home: Path, asked: str, code: int, said: str) -> None:
    result = preview(home, asked)
    assert (result.exit_code, said in result.output) == (code, True)


def test_a_model_without_a_contract_is_told_with_those_that_have_one(home: Path) -> None:
    preview(home)
    result = CliRunner().invoke(main, ["snapshots", "preview", "visit", "2024-01"])
    assert result.exit_code == 4
    assert "no contract of visit is among visits" in result.output
