"""`mlops ci`: exit codes, what is printed, and what an interruption leaves."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlops_pipeline.cli.ci import ci, read_config, read_tags
from mlops_pipeline.errors import LaunchRefused
from mlops_pipeline_tests.ci.webserver import (
    VALID,
    checked,
    current,
    evaluated,
    events,
    jobs,
    launched,
    partitions,
    run,
    runs,
    serve,
    step,
)


def answers(status: str, *happened: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        "Jobs": [jobs("m__train")],
        "Partitions": [partitions()],
        "Config": [VALID],
        "Launch": [launched(run("QUEUED"))],
        "Run": [current(run(status))],
        "Events": [events(*happened)],
    }


def ask(given: dict[str, list[Any]], *words: str) -> Result:
    with serve(given) as fake:
        return CliRunner().invoke(ci, [*words, "--url", fake.url])


def test_a_rejection_is_exit_code_one_with_its_reason_last() -> None:
    happened = [
        step("ExecutionStepStartEvent", "m__evaluation", 0),
        checked("nulls", passed=False, severity="WARN", said="3 of 100"),
        evaluated("reject", "roc_auc missed"),
        step("ExecutionStepSuccessEvent", "m__evaluation", 2),
    ]

    result = ask(answers("SUCCESS", *happened), "run", "m__train")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("m__train launched: http://127.0.0.1:")
    assert lines[1:] == [
        "run success",
        "step m__evaluation: success in 2.0 s",
        "check m/rows: nulls: warn 3 of 100",
        "rejected: the gate says reject: roc_auc missed",
    ]


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [("SUCCESS", "promote", 0), ("SUCCESS", "hold", 2), ("FAILURE", "promote", 3)],
)
def test_the_exit_code_is_the_verdict(status: str, verdict: str, code: int) -> None:
    assert ask(answers(status, evaluated(verdict)), "run", "m__train").exit_code == code


def test_json_is_one_object_and_progress_goes_to_stderr() -> None:
    result = ask(answers("SUCCESS", evaluated("hold", "few rows")), "run", "m__train", "--json")

    said = json.loads(result.stdout)
    assert said["url"].endswith("/runs/r1")
    assert {key: said[key] for key in said if key != "url"} == {
        "ok": False,
        "exit_code": 2,
        "outcome": "inconclusive",
        "why": "the gate says hold: few rows",
        "verdict": "hold",
        "job": "m__train",
        "run_id": "r1",
        "status": "SUCCESS",
        "steps": [],
        "checks": [],
    }
    assert "run success" in result.stderr


def test_without_waiting_the_run_is_named_and_left() -> None:
    result = ask(answers("STARTED"), "run", "m__train", "--no-wait", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["run_id"] == "r1"


def test_a_found_run_is_said_to_be_found() -> None:
    given = {**answers("SUCCESS", evaluated("promote")), "Runs": [runs(run("SUCCESS"))]}

    result = ask(given, "run", "m__train", "--key", "abc")

    assert "m__train found under key 'abc'" in result.stdout
    assert result.exit_code == 0


def test_a_wait_that_was_too_short_says_how_to_go_on() -> None:
    result = ask(answers("STARTED"), "wait", "r1", "--timeout", "0")

    assert result.exit_code == 3
    assert "infrastructure: the run is still started after 0 s" in result.stdout
    assert "take up the wait with: mlops ci wait r1 --url http://127.0.0.1:" in result.stderr


def test_a_wrong_job_is_usage() -> None:
    result = ask(answers("SUCCESS"), "run", "m__trian", "--json")

    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"].startswith("no job is named 'm__trian'")


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answers("SUCCESS", evaluated("promote"))) as fake:
        monkeypatch.setenv("DAGSTER_URL", fake.url)
        assert CliRunner().invoke(ci, ["wait", "r1"]).exit_code == 0


def test_an_interruption_leaves_the_run_and_says_how_to_resume() -> None:
    with serve(answers("STARTED")) as fake:
        words = ["wait", "r1", "--url", fake.url]
        waiting = subprocess.Popen(
            [sys.executable, "-c", "from mlops_pipeline.cli.ci import ci; ci()", *words],
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        fake.wait_for("Events")
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)

        assert waiting.returncode == 130
        assert f"take up the wait with: mlops ci wait r1 --url {fake.url}" in said
        assert "Cancel" not in fake.names()


def test_config_is_a_file_or_inline_json(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("ops: {a: {config: {seed: 1}}}\n")

    assert read_config(str(path)) == {"ops": {"a": {"config": {"seed": 1}}}}
    assert read_config(' {"ops": {}}') == {"ops": {}}
    assert read_config(None) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{broken", r"--config \{broken: Expecting property name"),
        ("no/such/file.yaml", "--config no/such/file.yaml: .*No such file"),
    ],
)
def test_config_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(LaunchRefused, match=said):
        read_config(text)


def test_config_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("- a\n")

    with pytest.raises(LaunchRefused, match="run config is a mapping"):
        read_config(str(path))


def test_tags_are_pairs() -> None:
    assert read_tags(("commit=abc", "note=a=b")) == {"commit": "abc", "note": "a=b"}
    with pytest.raises(LaunchRefused, match="--tag commit: say KEY=VALUE"):
        read_tags(("commit",))
