"""`mlops retrain`: who asked for a training, why, and what stands against the next one."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from getpass import getuser
from typing import Any

import click
from sqlalchemy import Engine

from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ContractError
from mlops_pipeline.ledger import retrains
from mlops_pipeline.ledger.retrains import RetrainRequest, RetrainSource
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring import retraining
from mlops_pipeline.monitoring.retraining import Reason, Ruling
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
        against = retraining.against(view, contract, RetrainSource.DRIFT, None, now)
    words = contract.retraining
    found: dict[str, Any] = {
        "model": model,
        "runs": {"used": used.runs, "of": words.budget_runs},
        "minutes": {"used": round(used.minutes, 1), "of": words.budget_minutes},
        "without_gain": {"in_a_row": vain, "of": words.max_without_gain},
        "stopped": vain >= words.max_without_gain,
        "against": None if against is None else {"rule": against.rule, "text": against.text},
        "requests": [asdict(request) for request in history],
    }
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    click.echo(
        f"{used.runs} of {words.budget_runs} runs and {used.minutes:.1f} of "
        f"{words.budget_minutes:g} minutes in {words.budget_days:g} days; "
        f"{vain} of {words.max_without_gain} requests without gain"
    )
    click.echo(f"the next wish {_fate(history, against)}")
    for one in history:
        _print(one)
    if not history:
        click.echo("nobody has asked yet")


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


def _fate(history: Sequence[RetrainRequest], against: Ruling | None) -> str:
    """What would become of drift's next wish."""
    waiting = next((one for one in history if one.state == "open"), None)
    if waiting is not None:
        return f"would join request {waiting.id}"
    if against is not None:
        return f"would not be granted: {against.rule}: {against.text}"
    return "would be granted"


def _print(one: RetrainRequest) -> None:
    """A line for the request, and one for each of its reasons."""
    handed = f"handed out by {one.launched_by}" if one.launched_by else "waits to be handed out"
    parts = [one.outcome or handed, f"asked {one.requested:%F %H:%M} UTC"]
    parts += [f"attempt {one.attempt}"] if one.attempt > 1 else []
    parts += [f"{one.minutes:.1f} minutes"] if one.minutes is not None else []
    parts += [f"run {one.run_id[:8]}"] if one.run_id else []
    click.echo(f"{one.id:>4}  {', '.join(parts)}")
    for why in one.reasons:
        said = f"{why.get('source')}, {why.get('window', '')}: {why.get('finding', '')}"
        click.echo(f"      - {said}")


def _contract(model: str) -> ModelContract:
    known = find_contracts(read_settings().contract_folders)
    if model not in known:
        raise ContractError(f"no model is named {model!r}; there are: {', '.join(known) or 'none'}")
    return load_contract(known[model])


def _ledger() -> Engine:
    return open_ledger(read_settings().ledger_url)
