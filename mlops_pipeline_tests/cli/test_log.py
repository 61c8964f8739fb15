import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from mlops_pipeline.cli.log import log
from mlops_pipeline.serving.compaction import compact
from mlops_pipeline.serving.request_log import Outcome
from mlops_pipeline_tests.serving.test_request_log import record, write


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(log, words, env={"MLOPS_HOME": str(home)})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 is compacted and sampled at a quarter; version 2 is a spool with a refusal."""
    folder = tmp_path / "requests" / "flights"
    sampled = replace(record("a", at=10.0), rate=0.25)
    write(folder / "1", sampled).leave_out()
    compact(folder / "1", now=20.0)
    refused = replace(record("c", at=30.0), version="2", status=422, outcome=Outcome.INVALID)
    write(folder / "2", replace(record("b", at=20.0), version="2"), refused)
    return tmp_path


def test_tail_shows_the_newest_records_of_every_version_in_order(home: Path) -> None:
    lines = run(home, "tail", "flights").output.splitlines()
    assert [line.rpartition("id=")[2] for line in lines] == ["a unit=a", "b unit=b", "c unit=c"]
    assert lines[2].startswith("1970-01-01T00:00:30Z v2 live 422 invalid 0.2500 0.50ms")


def test_tail_counts_from_the_newest_and_gives_whole_records_as_json(home: Path) -> None:
    (line,) = run(home, "tail", "flights", "-n", "1", "--json").output.splitlines()
    assert (json.loads(line)["id"], json.loads(line)["status"]) == ("c", 422)


def test_stats_count_records_and_weigh_good_answers_by_their_rate(home: Path) -> None:
    told = json.loads(run(home, "stats", "flights", "--json").output)
    first, second = told["versions"]
    assert (first["version"], first["records"], first["estimated"]) == ("1", 1, 4.0)
    assert (first["parquet_files"], first["spool_files"]) == (1, 0)
    assert (second["outcomes"], second["estimated"]) == ({"ok": 1, "invalid": 1}, 1.0)
    assert (second["lost"], second["dropped"], second["waiting"]) == (0, 0, 0)


def test_stats_read_well(home: Path) -> None:
    said = run(home, "stats", "flights", "--version", "2").output
    assert said.startswith("version 2: 2 records (1 invalid, 1 ok), 1 spool and 0 Parquet files")
    assert said.rstrip().endswith("sampled out 0, dropped 0, waiting 0, lost 0")


def test_a_model_without_a_log_is_said_with_what_there_is(home: Path) -> None:
    done = run(home, "tail", "boats")
    assert done.exit_code == 3
    assert "there are: flights" in done.output
