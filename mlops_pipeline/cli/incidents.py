"""`mlops incidents`: what is wrong, who has it, and what was over."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from getpass import getuser

import click
from sqlalchemy import Engine

from mlops_pipeline.ledger import incidents as book
from mlops_pipeline.ledger import outbox
from mlops_pipeline.ledger.incidents import Incident, IncidentSeverity, IncidentState
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.settings import read_settings

# Of an incident's detail; what else there is comes after it.
READ_FIRST = ("metric", "value", "limit", "n", "window", "windows", "version", "reason", "missing")


@click.group(invoke_without_command=True)
@click.pass_context
def incidents(context: click.Context) -> None:
    """Causes that a person should know of: list (also without a word), show, ack, resolve."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@incidents.command("list")
@click.option("--model", default=None, help="Of one model only.")
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(model: str | None, everything: bool, as_json: bool) -> None:
    """What is open, the critical first; exit code 1 where something is."""
    with reading(_ledger()) as view:
        found = book.all_of(view, model) if everything else book.open_incidents(view, model)
        untold = {item.incident_id: item for item in outbox.undelivered(view)}
    if as_json:
        rows = [{**asdict(i), "told": i.id not in untold} for i in found]
        click.echo(json.dumps({"incidents": rows}, default=str))
    else:
        errors = {number: item.last_error or "not tried yet" for number, item in untold.items()}
        now = datetime.now(UTC)
        for one in sorted(found, key=_urgency):
            _print(one, errors.get(one.id), now)
        if not found:
            click.echo("nothing is open")
    still = any(incident.state != IncidentState.RESOLVED for incident in found)
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
    _print(found, None, datetime.now(UTC))
    first = [name for name in READ_FIRST if name in found.detail]
    for name in [*first, *(found.detail.keys() - {*first})]:
        click.echo(f"    {name}: {_plain(found.detail[name])}")
    click.echo(f"    raised {found.raised:%F %T} UTC, last seen {found.last_seen:%F %T} UTC")
    if found.state is IncidentState.OPEN:
        click.echo(f"    say that you have it: mlops incidents ack {found.id}")


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


def _urgency(one: Incident) -> tuple[bool, bool, int]:
    over = one.state == IncidentState.RESOLVED
    return over, one.severity is not IncidentSeverity.CRITICAL, one.id


def _print(one: Incident, untold: str | None, now: datetime) -> None:
    """Two or three short lines, for a narrow terminal at night."""
    loud = one.severity is IncidentSeverity.CRITICAL and one.state != IncidentState.RESOLVED
    head = click.style(f"{one.id:>4}  {one.severity:<8}", fg="red" if loud else None, bold=True)
    has = f" by {one.acknowledged_by}" if one.acknowledged_by else ""
    times = "" if one.times == 1 else f", seen {one.times} times"
    since = since_text((one.resolved or now) - one.raised)
    click.echo(f"{head} {one.model}: {one.cause} ({one.state}{has}, for {since}{times})")
    click.echo(f"      {one.summary}")
    if "runbook" in one.detail:
        click.echo(f"      -> mlops incidents show {one.id}, {one.detail['runbook']}")
    if untold is not None:
        click.echo(click.style(f"      nobody was told: {untold}", fg="red"))


def since_text(length: timedelta) -> str:
    """`3 d 4 h`, `2 h 5 min`, `7 min`: as exact as a person needs it."""
    minutes = int(length.total_seconds() // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ledger() -> Engine:
    return open_ledger(read_settings().ledger_url)
