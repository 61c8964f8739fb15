"""`mlops retrain`: who asked for a training, why, and what stands against the next one."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from getpass import getuser
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ContractError
from mlops_pipeline.ledger import retrains
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring import retraining
from mlops_pipeline.monitoring.retraining import Reason
from mlops_pipeline.settings import read_settings


@click.group()
def retrain() -> None:
    """The retrain controller: status, request, resume."""


@retrain.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(model: str, as_json: bool) -> None:
    """Every request with its reasons, and what is left of the budget."""
    contract, now = _contract(model), datetime.now(UTC)
    with reading(_ledger()) as view:
        history = retrains.history(view, model)
        used = retraining.spent(view, contract, now)
        vain = retraining.without_gain(view, contract)
    words = contract.retraining
    found: dict[str, Any] = {
        "model": model,
        "runs": {"used": used.runs, "of": words.budget_runs},
        "minutes": {"used": round(used.minutes, 1), "of": words.budget_minutes},
        "without_gain": {"in_a_row": vain, "of": words.max_without_gain},
        "stopped": vain >= words.max_without_gain,
        "requests": [asdict(request) for request in history],
    }
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    console = Console(highlight=False)
    console.print(
        f"{used.runs} of {words.budget_runs} runs and {used.minutes:.1f} of "
        f"{words.budget_minutes:g} minutes in {words.budget_days:g} days; "
        f"{vain} of {words.max_without_gain} requests without gain"
    )
    table = Table("request", "state", "attempt", "run", "minutes", "reasons")
    for one in history:
        state = one.outcome or (
            f"handed out by {one.launched_by}" if one.launched_by else one.state
        )
        minutes = "" if one.minutes is None else f"{one.minutes:.1f}"
        reasons = retraining.chain(one).replace("; ", "\n")
        run = (one.run_id or "")[:8]
        table.add_row(str(one.id), state, str(one.attempt), run, minutes, reasons)
    console.print(table if history else "nobody has asked yet")


@retrain.command()
@click.argument("model")
@click.option("--reason", required=True, help="Why the model should be trained again.")
@click.option("--source", type=click.Choice(["person", "ci"]), default="person", show_default=True)
@click.option("--as-of", default=None, help="The day on which the fit asks, as 2013-07-01.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def request(model: str, reason: str, source: str, as_of: str | None, as_json: bool) -> None:
    """Ask for a training; a sensor hands it out. Exit code 1 where a rule stands against it."""
    contract, now = _contract(model), datetime.now(UTC)
    why = Reason(source, f"{now:%Y-%m-%d}", f"{getuser()}: {reason}", as_of=as_of)
    with transaction(_ledger()) as tx:
        ruling = retraining.ask(
            tx,
            contract,
            reason=why,
            source=RetrainSource(source),
            inputs=None,
            actor=getuser(),
            now=now,
        )
        if not ruling.asked:
            retraining.refuse(tx, contract, ruling, why, now=now)
    if as_json:
        number = ruling.request.id if ruling.request else None
        click.echo(json.dumps({"ok": ruling.asked, "rule": ruling.rule, "request": number}))
    else:
        click.echo(f"{ruling.rule}: {ruling.text}")
    click.get_current_context().exit(0 if ruling.asked else 1)


@retrain.command()
@click.argument("model")
@click.option("--reason", required=True, help="What is different now.")
def resume(model: str, reason: str) -> None:
    """Let retraining go on after it stopped for want of gain."""
    contract = _contract(model)
    with transaction(_ledger()) as tx:
        retraining.resume(tx, contract.name, by=getuser(), reason=reason, now=datetime.now(UTC))
    click.echo(f"{model}: retraining goes on")


def _contract(model: str) -> ModelContract:
    known = find_contracts(read_settings().contract_folders)
    if model not in known:
        raise ContractError(f"no model is named {model!r}; there are: {', '.join(known) or 'none'}")
    return load_contract(known[model])


def _ledger() -> Engine:
    return open_ledger(read_settings().ledger_url)
