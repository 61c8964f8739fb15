"""`mlops incidents`: what is wrong, who has it, and what was over."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from getpass import getuser

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from mlops_pipeline.ledger import incidents as book
from mlops_pipeline.ledger import outbox
from mlops_pipeline.ledger.incidents import Incident
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.settings import read_settings


@click.group()
def incidents() -> None:
    """Causes that a person should know of: list, show, ack, resolve."""


@incidents.command("list")
@click.option("--model", default=None, help="Of one model only.")
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(model: str | None, everything: bool, as_json: bool) -> None:
    """What is open, oldest first; exit code 1 where something is."""
    with reading(_ledger()) as view:
        found = book.all_of(view, model) if everything else book.open_incidents(view, model)
        untold = {item.incident_id: item for item in outbox.undelivered(view)}
    if as_json:
        rows = [{**asdict(i), "told": i.id not in untold} for i in found]
        click.echo(json.dumps({"incidents": rows}, default=str))
    else:
        _print(found, {number: item.last_error for number, item in untold.items()})
    still = any(incident.state != book.IncidentState.RESOLVED for incident in found)
    click.get_current_context().exit(1 if still else 0)


@incidents.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(number: int, as_json: bool) -> None:
    """Everything that is known of one incident, with its runbook."""
    with reading(_ledger()) as view:
        found = book.get(view, number)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{found.id}[/] {found.severity} {found.model}: {found.cause}")
    console.print(found.summary, markup=False)
    for name, value in found.detail.items():
        console.print(f"  {name}: {value}", markup=False)
    console.print(f"  {found.state}, seen {found.times} times, last {found.last_seen:%F %T} UTC")


@incidents.command()
@click.argument("number", type=int)
def ack(number: int) -> None:
    """Say that you have it."""
    with transaction(_ledger()) as tx:
        done = book.acknowledge(tx, number, by=getuser(), now=datetime.now(UTC))
    click.echo(f"incident {done.id} ({done.cause} of {done.model}): {done.acknowledged_by} has it")


@incidents.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="Why the cause is gone.")
def resolve(number: int, reason: str) -> None:
    """Say that it is over; those who were told of it hear so."""
    with transaction(_ledger()) as tx:
        done = book.resolve(tx, number, reason=reason, actor=getuser(), now=datetime.now(UTC))
    click.echo(f"incident {done.id} ({done.cause} of {done.model}) is resolved")


def _print(found: tuple[Incident, ...], untold: dict[int, str | None]) -> None:
    table = Table("id", "model", "cause", "severity", "state", "times", "what", "told")
    for one in found:
        told = "yes"
        if one.id in untold:
            told = f"no: {untold[one.id] or 'not tried yet'}"
        table.add_row(
            str(one.id), one.model, one.cause, one.severity, one.state, str(one.times),
            one.summary, told,
        )  # fmt: skip
    Console(highlight=False).print(table if found else "nothing is open")


def _ledger() -> Engine:
    return open_ledger(read_settings().ledger_url)
