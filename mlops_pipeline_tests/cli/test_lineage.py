"""`mlops lineage` and `mlops reproduce`, as typed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_pipeline.cli.main import main
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.proof import Stores
from mlops_pipeline_tests.registry import world

pytestmark = pytest.mark.slow


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """The stores of the home that the environment names."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    return world.open_home(tmp_path / "home")


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and output of `mlops` with these words."""
    with pytest.raises(SystemExit) as left:
        main(list(words))
    code = left.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().out


def test_a_versions_ancestry_is_shown_three_ways(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    known = world.registered_version(stores)
    code, tree = typed(capsys, "lineage", "visits", "1")
    assert code == 0
    assert known.lineage.snapshot[:12] in tree
    assert "signature: valid, over 4 files" in tree
    assert "baseline: first version, no baseline" in tree
    assert typed(capsys, "lineage", "visits", "1", "--mermaid")[1].startswith("flowchart LR")
    event = json.loads(typed(capsys, "lineage", "visits", "1", "--openlineage")[1])
    assert event["outputs"][0]["name"] == "version.1"
    assert json.loads(typed(capsys, "lineage", "visits", "1", "--json")[1])["kind"] == "version"


def test_an_unknown_version_names_those_that_are_known(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    world.registered_version(stores)
    with pytest.raises(SystemExit):
        main(["lineage", "visits", "9"])
    assert "visits has no version '9'; known: 1" in capsys.readouterr().err


def test_a_rebuild_that_is_equal_exits_with_0_and_one_that_cannot_be_with_2(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    world.registered_version(stores)
    code, said = typed(capsys, "reproduce", "visits", "1", "--json")
    assert (code, json.loads(said)["answer"]) == (0, "equal")
    code, said = typed(capsys, "reproduce", "visits", "9", "--json")
    assert (code, json.loads(said)["text"]) == (2, "visits has no version '9'; known: 1")
    other = replace(read_code(), sources="0" * 64, commit="c" * 40)
    world.registered_version(stores, version="2", code=other)
    code, said = typed(capsys, "reproduce", "visits", "2")
    assert code == 2
    assert said.startswith(f"cannot: the code is another: sources {read_code().sources[:12]}")
    assert "check out commit ccc" in said
