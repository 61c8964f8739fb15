"""`mlops ci`: a build server launches a job and gets a verdict as exit code.

0 pass, 1 rejected by the gate, 2 inconclusive, 3 infrastructure, 4 usage, 130 interrupted.
"""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.controller import to_verdict
from mlops_pipeline.ci.launch import LaunchRequest, launch
from mlops_pipeline.ci.story import Outcome
from mlops_pipeline.ci.watch import ENDED, Pace, Report
from mlops_pipeline.cli.board import Board
from mlops_pipeline.cli.edge import INTERRUPTED, Edge
from mlops_pipeline.errors import LaunchRefused
from mlops_pipeline.settings import read_settings

WORDS = {
    Outcome.PASS: "pass",
    Outcome.REJECTED: "rejected",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.INFRASTRUCTURE: "infrastructure",
}

url_option = click.option("--url", help="The webserver [default: DAGSTER_URL].")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=7200.0,
    show_default=True,
    help="Seconds to wait for the run's end; the run goes on without us.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, progress on stderr."
)


@click.group(cls=Edge)
def ci() -> None:
    """Launch jobs from a build server; the exit code is the verdict.

    0 pass, 1 rejected by the gate, 2 inconclusive, 3 infrastructure, 4 usage.
    """


@ci.command()
@click.argument("job")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the verdict.")
@click.option("--partition", metavar="KEY", help="Of a partitioned job; checked before the launch.")
@click.option("--config", metavar="FILE|JSON", help="Run config: a YAML or JSON file, or JSON.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the run.")
@click.option("--key", help="Idempotency: a run that has this key already is the answer.")
@click.option(
    "--past-controller",
    metavar="REASON",
    help="Train without asking the retrain controller: an incident tells everybody, with REASON.",
)
@click.option("--location", help="The code location, where several have a job of this name.")
@url_option
@timeout_option
@json_option
def run(
    job: str,
    wait: bool,
    partition: str | None,
    config: str | None,
    tags: tuple[str, ...],
    key: str | None,
    past_controller: str | None,
    location: str | None,
    url: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Launch JOB, such as flight_delay__train, and return its verdict.

    A training is asked of the retrain controller: the wish joins an open request, is refused by the
    rules that hold for everybody (exit code 2, or the verdict that the same inputs had), or gets a
    run of its own, whose verdict is returned.
    """
    request = LaunchRequest(
        job=job,
        location=location,
        partition=partition,
        config=read_config(config),
        tags=read_tags(tags),
        key=key,
        past_controller=past_controller,
    )
    with DagsterClient(url or read_settings().dagster_url) as client:
        launched = launch(client, request)
        page = client.run_page(launched.run.run_id)
        what = f"found under key {key!r}" if launched.found else "launched"
        click.echo(f"{launched.run.job_name} {what}: {page}", err=as_json)
        if wait:
            _wait(client, launched.run.run_id, timeout, as_json)
        elif as_json:
            facts = {"job": job, "run_id": launched.run.run_id, "url": page}
            status = launched.run.status
            click.echo(json.dumps({"ok": True, "exit_code": 0, **facts, "status": status}))


@ci.command()
@click.argument("run_id")
@url_option
@timeout_option
@json_option
def wait(run_id: str, url: str | None, timeout: float, as_json: bool) -> None:
    """Wait for a run that was launched before, and return its verdict."""
    with DagsterClient(url or read_settings().dagster_url) as client:
        _wait(client, run_id, timeout, as_json)


def read_config(text: str | None) -> dict[str, Any]:
    """The run config that the option names: inline JSON where it starts with a brace.

    Raises:
        LaunchRefused: it is no mapping, or the file cannot be read.
    """
    if text is None:
        return {}
    try:
        if text.lstrip().startswith("{"):
            config = json.loads(text)
        else:
            config = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LaunchRefused(f"--config {text:.80}: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise LaunchRefused(f"--config {text:.80}: run config is a mapping, such as {{'ops': …}}")
    return config


def read_tags(pairs: tuple[str, ...]) -> dict[str, str]:
    """The tags that the options name.

    Raises:
        LaunchRefused: one is not `key=value`.
    """
    tags = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise LaunchRefused(f"--tag {pair}: say KEY=VALUE")
        tags[name] = value
    return tags


def _wait(client: DagsterClient, run_id: str, timeout: float, as_json: bool) -> None:
    context = click.get_current_context()
    try:
        started = client.run(run_id)
        with Board(to_stderr=as_json) as board:
            report = to_verdict(client, started, Pace(limit=timeout), seen=board.show)
    except KeyboardInterrupt:
        _say_resume(client, run_id)
        context.exit(INTERRUPTED)
    judgement = report.judgement
    if report.run.status not in ENDED:
        _say_resume(client, run_id)
    if as_json:
        click.echo(json.dumps(as_object(report, client.run_page(run_id))))
    else:
        click.echo(f"{WORDS[judgement.outcome]}: {judgement.why}")
    context.exit(int(judgement.outcome))


def _say_resume(client: DagsterClient, run_id: str) -> None:
    again = f"mlops ci wait {run_id} --url {client.url}"
    click.echo(f"the run goes on; take up the wait with: {again}", err=True)


def as_object(report: Report, page: str) -> dict[str, Any]:
    """The report for a machine."""
    story, judgement = report.story, report.judgement
    return {
        "ok": judgement.outcome is Outcome.PASS,
        "exit_code": int(judgement.outcome),
        "outcome": WORDS[judgement.outcome],
        "why": judgement.why,
        "verdict": story.verdict,
        "job": report.run.job_name,
        "run_id": report.run.run_id,
        "url": page,
        "status": report.run.status,
        "steps": [{"key": s.key, "state": s.state, "seconds": s.seconds} for s in story.steps],
        "checks": [
            {
                "asset": check.asset,
                "name": check.name,
                "passed": check.passed,
                "severity": check.severity,
                "description": check.description,
            }
            for check in story.checks
        ],
    }
