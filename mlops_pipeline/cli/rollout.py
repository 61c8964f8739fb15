"""`mlops rollout` and `mlops rollback`: look at a rollout, begin one, say yes, go back."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from getpass import getuser

import click
from rich.console import Console
from rich.table import Table

from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery import approvals, diagram
from mlops_pipeline.delivery.abort import abort_rollout
from mlops_pipeline.delivery.assignment import bucket, meets_candidate
from mlops_pipeline.delivery.forecast import foresee
from mlops_pipeline.delivery.plan import parse_plan
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.testers import tester_key
from mlops_pipeline.delivery.world import World, open_world, salt_of
from mlops_pipeline.errors import ContractError, DeliveryError, NodeUnreachable
from mlops_pipeline.ledger import champion, decisions, rollouts
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.settings import read_settings


@click.group()
def rollout() -> None:
    """How a version reaches users: status, start, approve, assignment."""


@rollout.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(model: str, as_json: bool) -> None:
    """The champion, the rollout under way or the last one, and every decision in it."""
    world = _world()
    with reading(world.engine) as view:
        leading = champion.read(view, model)
        rows = rollouts.all_of(view, model)
        told = decisions.of_rollout(view, rows[-1].id) if rows else ()
    found = {
        "model": model,
        "champion": asdict(leading) if leading else None,
        "rollout": asdict(rows[-1]) if rows else None,
        "weight": _weight(world, model),
        "decisions": [asdict(d) for d in told],
    }
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    console = Console(highlight=False)
    console.print(f"champion  {leading.version if leading else 'none'}")
    if rows:
        last = rows[-1]
        console.print(f"rollout   {last.id}: version {last.candidate} is {last.state}")
        console.print(f"weight    {found['weight']}")
    table = Table("generation", "action", "because")
    for decision in told:
        table.add_row(str(decision.generation), decision.action, decision.verdict)
    console.print(table)


@rollout.command()
@click.argument("model")
@click.argument("version")
@click.option("--reason", required=True, help="Why this version.")
@click.option("--first", is_flag=True, help="There is no champion: serve it without a baseline.")
@click.option(
    "--break-glass",
    type=float,
    metavar="HOURS",
    help="Past checklist and approvals, for so long. Loud, and red until a normal promotion.",
)
@click.option("--strict", is_flag=True, help="Refuse where traffic cannot supply the evidence.")
def start(
    model: str, version: str, reason: str, first: bool, break_glass: float | None, strict: bool
) -> None:
    """Begin a rollout; the sensor or the job takes its steps. With --first, serve it at once."""
    world, contract, now = _world(), _contract(model), datetime.now(UTC)
    if first:
        leading = deploy_first(
            world, contract, version=version, reason=reason, now=now, actor=getuser()
        )
        click.echo(f"version {leading.version} serves: first version, no baseline")
        return
    glass = None if break_glass is None else timedelta(hours=break_glass)
    row = start_rollout(
        world,
        contract,
        candidate=version,
        reason=reason,
        now=now,
        actor=getuser(),
        break_glass=glass,
        strict=strict,
    )
    click.echo(str(foresee(world, parse_plan(row.plan), now=now)))
    click.echo(
        f"rollout {row.id} of version {version} is planned; {model}__rollout_step takes it on"
    )


@rollout.command()
@click.argument("model")
@click.option("--reason", required=True, help="What you looked at.")
@click.option("--by", default=getuser, show_default="you", help="Who approves.")
def approve(model: str, reason: str, by: str) -> None:
    """Say yes where the rollout under way waits for a person. Bound to what was seen."""
    world = _world()
    with transaction(world.engine) as tx:
        given = approvals.approve(tx, model, approver=by, reason=reason, now=datetime.now(UTC))
    click.echo(f"{model}: approved by {by}: {', '.join(item.check for item in given)}")


@rollout.command()
@click.argument("model")
@click.option("--reason", required=True, help="What went wrong, if not the candidate.")
def abort(model: str, reason: str) -> None:
    """Give the rollout up without blaming its candidate: it may be rolled out again."""
    done = abort_rollout(_world(), model, reason=reason, by=getuser(), now=datetime.now(UTC))
    met = "users had met it" if done.users_met_it else "no user had met it"
    click.echo(
        f"rollout {done.rollout.id}: version {done.rollout.candidate} is out "
        f"({done.rollout.state}; {met}), and not in quarantine"
    )


@rollout.command()
@click.argument("model")
def tester(model: str) -> None:
    """Headers by which a tester chooses a version of MODEL; users cannot."""
    settings = read_settings()
    click.echo(
        f"curl -H 'x-tester: {tester_key(settings)}' -H 'x-model-variant: candidate' "
        f"http://127.0.0.1:{settings.port}/{model}/version"
    )


@rollout.command()
def states() -> None:
    """The states of a rollout, as the page docs/rollout-states.md shows them."""
    click.echo(diagram.page(), nl=False)


@rollout.command()
@click.argument("model")
@click.argument("unit")
def assignment(model: str, unit: str) -> None:
    """Which version a unit (user, session) meets now, recomputed from the router's own rule."""
    world = _world()
    with reading(world.engine) as view:
        row = rollouts.active(view, model)
    if row is None:
        raise DeliveryError(f"{model}: no rollout is under way: everybody meets the champion")
    routes = world.node.state().routes.get(model)
    weight = routes.arms.weight if routes else 0
    meets = meets_candidate(unit, salt_of(row), weight)
    click.echo(
        f"{unit}: bucket {bucket(unit, salt_of(row))} of 10000, weight {weight}: "
        f"version {row.candidate if meets else row.stable}"
    )


@click.command()
@click.argument("model")
@click.option("--reason", required=True, help="Why the version in service must leave.")
@click.option("--to", default=None, help="A proven version; without it, the one before.")
@click.option("--no-blame", is_flag=True, help="Keep what leaves out of quarantine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rollback(model: str, reason: str, to: str | None, no_blame: bool, as_json: bool) -> None:
    """Take the version in service out, confirmed by real requests. Needs no Dagster, no MLflow."""
    now = datetime.now(UTC)
    done = roll_back(
        _world(), model, reason=reason, by=getuser(), to=to, now=now, condemn=not no_blame
    )
    milliseconds = round(1000 * done.confirmation.seconds_to_zero_weight)
    if as_json:
        click.echo(json.dumps({**asdict(done), "milliseconds": milliseconds}, default=str))
        return
    click.echo(
        f"{model}: version {done.left} left, version {done.serving} serves; zero weight confirmed "
        f"by {done.confirmation.probes} requests after {milliseconds} ms"
    )


def _world() -> World:
    settings = read_settings()
    return open_world(settings, open_ledger(settings.ledger_url))


def _contract(model: str) -> ModelContract:
    known = find_contracts(read_settings().contract_folders)
    if model not in known:
        raise ContractError(f"no model is named {model!r}; there are: {', '.join(known) or 'none'}")
    return load_contract(known[model])


def _weight(world: World, model: str) -> str:
    """The candidate's share of users as the router has it."""
    try:
        routes = world.node.state().routes.get(model)
    except NodeUnreachable:
        return "unknown: the node does not answer"
    return "none" if routes is None else f"{routes.arms.weight / 100:g} %"
