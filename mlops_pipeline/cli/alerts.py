"""`mlops alerts`: would anybody hear it? A test alert takes the whole way."""

import json
from datetime import UTC, datetime
from getpass import getuser

import click

from mlops_pipeline.errors import SettingsError
from mlops_pipeline.ledger import incidents, outbox
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring.alerts import NOWHERE, deliver_due, destination_of
from mlops_pipeline.monitoring.causes import FLEET, PLATFORM, Cause, tell
from mlops_pipeline.settings import read_settings


@click.group()
def alerts() -> None:
    """Delivery of alerts: test, waiting."""


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(as_json: bool) -> None:
    """Raise a test incident, deliver it, resolve it; exit code 3 where a destination refused.

    It goes through ledger, outbox and Apprise like every other alert.
    """
    settings = read_settings()
    if not settings.alert_urls:
        raise SettingsError(NOWHERE)
    engine, now = open_ledger(settings.ledger_url), datetime.now(UTC)
    with transaction(engine) as tx:
        raised = tell(
            tx,
            FLEET,
            Cause.TEST,
            owner=PLATFORM,
            summary=f"this is a test by {getuser()}: nothing is wrong",
            detail={"value": 1, "limit": 0},
            now=now,
        )
        incidents.resolve(tx, raised.id, reason="the test is over", now=now)
    sent = deliver_due(engine, settings.alert_urls, now=now)
    failed = {u.item: u.error for u in sent.failed}
    names = [destination_of(url) for url in settings.alert_urls]
    if as_json:
        said = {"ok": sent.ok, "destinations": names, "failed": list(failed.values())}
        click.echo(json.dumps(said))
    else:
        click.echo(f"{len(sent.delivered)} messages reached {', '.join(names)}")
        for error in failed.values():
            click.echo(f"not told: {error}", err=True)
    click.get_current_context().exit(0 if sent.ok else 3)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def waiting(as_json: bool) -> None:
    """News that has not reached everybody, and why; exit code 1 where there is some."""
    with reading(open_ledger(read_settings().ledger_url)) as view:
        items = outbox.undelivered(view)
    rows = [
        {
            "incident": item.incident_id,
            "event": item.event.value,
            "attempts": item.attempts,
            "again": f"{item.next_attempt:%Y-%m-%d %H:%M:%S}",
            "error": item.last_error,
        }
        for item in items
    ]
    if as_json:
        click.echo(json.dumps({"waiting": rows}))
    elif not rows:
        click.echo("everything was told")
    else:
        for row in rows:
            click.echo(" ".join(f"{name}={value}" for name, value in row.items()))
    click.get_current_context().exit(1 if rows else 0)
