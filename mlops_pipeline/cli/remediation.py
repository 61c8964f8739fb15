"""`mlops remediation`: candidates that did not pass, why, and the next attempt."""

import json
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
import yaml

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.launch import LaunchRequest, launch
from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.cli.review import login_name
from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.errors import ContractError, LaunchRefused
from mlops_pipeline.ledger import reviews
from mlops_pipeline.ledger.reviews import ReviewKind, ReviewRow
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.settings import Settings, read_settings

PREFIX = "trainer.params."
REVIEW_TAG = "mlops/review"
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group(cls=Edge)
def remediation() -> None:
    """See why a candidate did not pass, and try again."""


@remediation.command("list")
@click.option("--model", help="Only this model's.")
@AS_JSON
def list_(model: str | None, as_json: bool) -> None:
    """List candidates that wait, oldest first."""
    with reading(open_ledger(read_settings().ledger_url)) as view:
        items = [i for i in reviews.open_items(view, model) if i.kind is ReviewKind.CANDIDATE]
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"ok": True, "exit_code": 0, "items": items})))
        return
    for item in items:
        click.echo(f"{item.id}  {item.model}  {item.detail.get('summary', item.check)}")
    if not items:
        click.echo("no candidate waits")


@remediation.command()
@click.argument("number", type=int, metavar="ID")
@AS_JSON
def show(number: int, as_json: bool) -> None:
    """Show what failed, in which slices, what is new since the champion, and what to try."""
    settings = read_settings()
    item = _item(settings, number)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"ok": True, "exit_code": 0, "item": item})))
        return
    told = item.detail
    click.echo(f"{item.id}  {item.model}  {told.get('summary', '')}")
    click.echo("\n".join(_section("failed", told.get("failing", []))))
    slices = [
        f"{s['slice']}: gain {s['gain']:+.4f} on {s['rows']:,} rows"
        + (", vetoes" if s["vetoed"] else "")
        for s in told.get("slices", [])
    ]
    click.echo("\n".join(_section("worst slices", slices)))
    new = [f"{c['what']}: {c['before']} -> {c['after']}" for c in told.get("differences", [])]
    click.echo("\n".join(_section("new since the champion", new)))
    click.echo("\n".join(_section("try next", told.get("actions", []))))
    click.echo("\n".join(_section("look at", _links(settings, item))))


@remediation.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--set", "changes", multiple=True, metavar="trainer.params.NAME=VALUE")
@click.option("--url", help="Dagster's address. Default: DAGSTER_URL.")
@AS_JSON
def rerun(number: int, changes: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Launch the next attempt on the same rows, with other parameters and a link back."""
    relaunch(number, changes, url, as_json)


@remediation.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--reason", required=True, help="Why nobody needs to look at it any more.")
@click.option("--by", help="Who says so. Default: the login name.")
@AS_JSON
def close(number: int, reason: str, by: str | None, as_json: bool) -> None:
    """Close an item without letting its candidate pass; the reason is kept for ever."""
    settings = read_settings()
    _item(settings, number)
    with transaction(open_ledger(settings.ledger_url)) as tx:
        row = reviews.dismiss(
            tx, number, by=by or login_name(), reason=reason, now=datetime.now(UTC)
        )
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"ok": True, "exit_code": 0, "item": row})))
    else:
        click.echo(f"{row.approver} closed {row.id}: {row.reason}; its candidate does not pass")


def relaunch(number: int, changes: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """The next attempt after the item is launched, and said."""
    settings = read_settings()
    item = _item(settings, number)
    request = next_attempt(settings, item, read_changes(changes))
    with DagsterClient(url or settings.dagster_url) as client:
        launched = launch(client, request)
        page = client.run_page(launched.run.run_id)
    if as_json:
        facts = {"run_id": launched.run.run_id, "url": page, "review": number}
        click.echo(json.dumps({"ok": True, "exit_code": 0, **facts}))
    else:
        click.echo(f"attempt after review {number}: {page}")


def next_attempt(settings: Settings, item: ReviewRow, params: dict[str, Any]) -> LaunchRequest:
    """The training run that follows a failed candidate: same rows, these parameters over its own.

    Raises:
        LaunchRefused: the item does not say which candidate it is about.
    """
    detail = item.detail
    if "candidate" not in detail or "as_of" not in detail:
        raise LaunchRefused(f"review {item.id} is older than reruns: launch {item.model}__train")
    ops: dict[str, Any] = {f"{item.model}__snapshot": {"config": {"as_of": detail["as_of"]}}}
    if params:
        name = f"{item.model}__candidate_{detail['candidate']}"
        ops[name] = {"config": {"params": params}}
        _check(settings, item, params)
    return LaunchRequest(
        job=f"{item.model}__train",
        config={"ops": ops},
        tags={REVIEW_TAG: str(item.id), "mlops/reason": f"attempt after review {item.id}"},
    )


def read_changes(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Parameters by name, their values read as YAML.

    Raises:
        LaunchRefused: one is not `trainer.params.NAME=VALUE`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not path.startswith(PREFIX) or "." in path.removeprefix(PREFIX):
            raise LaunchRefused(f"--set {pair}: say {PREFIX}num_leaves=63")
        found[path.removeprefix(PREFIX)] = yaml.safe_load(value)
    return found


def _check(settings: Settings, item: ReviewRow, params: dict[str, Any]) -> None:
    """An unknown parameter is told now, not minutes later by a run."""
    from mlops_pipeline.errors import TrainingError
    from mlops_pipeline.training.table import check_params

    contracts = find_contracts(settings.contract_folders)
    if item.model not in contracts:
        raise ContractError(f"no contract of {item.model} is among {', '.join(contracts)}")
    candidates = {c.name: c for c in load_contract(contracts[item.model]).candidates}
    candidate = candidates.get(item.detail["candidate"])
    if candidate is None:
        raise LaunchRefused(
            f"the contract of {item.model} has no candidate {item.detail['candidate']!r}"
        )
    try:
        check_params(candidate.trainer, {**candidate.params, **params})
    except TrainingError as error:
        raise LaunchRefused(f"--set: {error}") from error


def _item(settings: Settings, number: int) -> ReviewRow:
    with reading(open_ledger(settings.ledger_url)) as view:
        item = reviews.get(view, number)
    if item.kind is not ReviewKind.CANDIDATE:
        raise LaunchRefused(f"review {number} is about data: answer it with mlops review approve")
    return item


def _links(settings: Settings, item: ReviewRow) -> list[str]:
    found = [f"report: object tree {item.detail.get('report', '?')}, report.html in the MLflow run"]
    if item.detail.get("mlflow_run"):
        found.append(f"MLflow run {item.detail['mlflow_run']} in {settings.mlflow_uri}")
    if item.detail.get("run"):
        found.append(f"{settings.dagster_url}/runs/{item.detail['run']}")
    if item.detail.get("attempt_after"):
        found.append(f"it follows review {item.detail['attempt_after']}")
    return found


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines or ["nothing"])]
