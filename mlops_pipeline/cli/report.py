"""`mlops report`: pictures for people without Grafana."""

import json
import webbrowser
from datetime import UTC, datetime

import click

from mlops_pipeline.contract.load import find_contracts
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.settings import read_settings


@click.group()
def report() -> None:
    """Pages for people: live."""


@report.command()
@click.option("--open", "open_it", is_flag=True, help="Show it in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def live(open_it: bool, as_json: bool) -> None:
    """Performance, drift, incidents and retraining of every model, in one HTML file."""
    from mlops_pipeline.monitoring.page import live_page  # brings matplotlib

    settings = read_settings()
    models = sorted(find_contracts(settings.contract_folders))
    with reading(open_ledger(settings.ledger_url)) as view:
        page = live_page(view, models, datetime.now(UTC))
    path = settings.home / "live.html"
    path.write_text(page, encoding="utf-8")
    click.echo(json.dumps({"page": str(path), "models": models}) if as_json else str(path))
    if open_it:
        webbrowser.open(path.as_uri())
