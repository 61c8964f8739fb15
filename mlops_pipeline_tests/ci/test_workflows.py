"""The example workflows are YAML, and every `mlops` command in them is one that exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mlops_pipeline.cli.ci import ci
from mlops_pipeline.cli.contract import contract

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "ci"
GROUPS = {"ci": ci, "contract": contract}


class NoTruth(yaml.SafeLoader):
    """YAML as the CI systems read it: `on` is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name for it
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":bool")]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((FOLDER / name).read_text(), Loader=NoTruth)
    return found


def commands(scripts: list[str]) -> list[list[str]]:
    """The words of every `mlops` call, up to what the shell does with its output."""
    lines = "\n".join(scripts).replace("\\\n", " ").splitlines()
    return [shlex.split(line.partition(">")[0]) for line in lines if re.match(r"\s*mlops ", line)]


def github_scripts() -> list[str]:
    jobs = read("github-actions.yml")["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def gitlab_scripts() -> list[str]:
    jobs = read("gitlab-ci.yml").values()
    return [line for job in jobs if isinstance(job, dict) for line in job.get("script", [])]


@pytest.mark.parametrize("scripts", [github_scripts, gitlab_scripts])
def test_every_command_is_one_that_exists(scripts: Any) -> None:
    found = commands(scripts())

    assert [words[:3] for words in found] == [
        ["mlops", "contract", "check"],
        ["mlops", "ci", "run"],
    ]
    for _, group, name, *words in found:
        command = GROUPS[group].commands[name]
        with click.Context(command) as context:
            command.make_parser(context).parse_args(list(words))


def test_github_starts_on_pull_requests_pushes_and_by_hand() -> None:
    assert set(read("github-actions.yml")["on"]) == {"pull_request", "push", "workflow_dispatch"}


def test_a_pull_request_never_reaches_dagster() -> None:
    jobs = read("github-actions.yml")["jobs"]

    assert jobs["train"]["if"] == "github.event_name != 'pull_request'"
    assert "DAGSTER_URL" not in str(jobs["contracts"])


def test_gitlab_shows_inconclusive_as_a_warning_and_nothing_else() -> None:
    assert read("gitlab-ci.yml")["train"]["allow_failure"] == {"exit_codes": [2]}


@pytest.mark.parametrize(
    ("said", "code", "summary"),
    [
        ('{"outcome": "rejected", "why": "too weak", "url": "http://d/runs/1"}', 1, "**rejected**"),
        ('{"ok": false, "exit_code": 3, "error": "no answer"}', 3, "**error**: no answer"),
        ("", 4, "**error**: "),
    ],
)
def test_githubs_step_ends_with_the_verdicts_code_and_shows_it(
    tmp_path: Path, said: str, code: int, summary: str
) -> None:
    stub = tmp_path / "mlops"
    stub.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\nexit {code}\n")
    stub.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "JOB": "flight_delay__train",
    }

    done = subprocess.run(["bash", "-c", github_scripts()[-1]], cwd=tmp_path, env=environ)

    assert done.returncode == code
    assert (tmp_path / "summary.md").read_text().startswith(summary)
