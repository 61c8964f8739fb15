"""`mlops demo`: the whole story on real flights, held to its claims."""

import json
import os
import shutil
import sys
import warnings
from contextlib import ExitStack
from dataclasses import replace

import click
from rich.console import Console

from mlops_pipeline.cli.demo import release, rollout, service
from mlops_pipeline.cli.demo.profiles import PROFILES, Profile
from mlops_pipeline.cli.demo.show import Show
from mlops_pipeline.cli.demo.story import Stage, Story, StoryBroken, tell
from mlops_pipeline.cli.demo.summary import summarise, table, write_page
from mlops_pipeline.cli.demo.webhook import Webhook
from mlops_pipeline.settings import Settings, read_settings

MODEL = "flight_delay"
STAGES = (
    Stage("data", "Data: seven months of flights and weather, as snapshots", release.data),
    Stage("validation", "Validation: spoilt rows stop before training", release.validation),
    Stage("first_version", "Candidates, evaluation, gate, registry", release.first_version),
    Stage("serving", "Serving: one process a version behind Envoy", service.serving),
    Stage("live_traffic", "Live traffic, late labels, performance", service.live_traffic),
    Stage("drift", "Drift, a sensor, a better version", service.drift),
    Stage("canary", "Canary: shadow, growing weights, promotion", rollout.canary),
    Stage("rollback", "Rollback: a version that fails in service", rollout.rollback),
)


@click.command()
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default="full", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--fault", default=None, help="What the broken version does; '' plants nothing.")
def demo(profile: str, as_json: bool, fault: str | None) -> int:
    """Tell the whole story on real flights; exit code 0 only if every claim held.

    State lives below MLOPS_HOME (default .mlops), which is emptied first.
    """
    settings = _fresh_home()
    console = Console(stderr=as_json, highlight=False)
    broken: str | None = None
    with ExitStack() as closing:
        show = closing.enter_context(Show(console, len(STAGES)))
        told = PROFILES[profile]
        if fault is not None:
            told = replace(told, fault=fault)
        story = _open(settings, told, show, closing)
        try:
            tell(story, STAGES)
        except StoryBroken as error:
            broken = str(error)
    summary = summarise(story, broken)
    page = write_page(summary, settings.home / "demo")
    if as_json:
        click.echo(json.dumps(summary))
    else:
        console.print(table(summary))
        console.print(f"The story with pictures: {page}")
        console.print("[bold]make dev[/] opens the Dagster UI, MLflow and the node on this state.")
    if broken is not None:
        console.print(f"[bold red]The story broke.[/] {broken}")
    return 0 if broken is None else 1


def _fresh_home() -> Settings:
    """An empty home that declares itself a scratch instance.

    Only what an earlier demo left is removed: a home without its mark is somebody's state.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["MLOPS_PROFILE"] = "scratch"
    settings = read_settings()
    mark = settings.home / "demo"
    if settings.home.exists() and any(settings.home.iterdir()) and not mark.is_dir():
        raise click.ClickException(
            f"{settings.home} holds state that no demo made: set MLOPS_HOME to another folder"
        )
    shutil.rmtree(settings.home, ignore_errors=True)
    mark.mkdir(parents=True)
    os.environ["MLOPS_HOME"] = str(settings.home)
    return settings


def _open(settings: Settings, profile: Profile, show: Show, closing: ExitStack) -> Story:
    """The story before its first stage; what it opens is closed by `closing`."""
    warnings.filterwarnings("ignore", category=Warning, module="dagster")
    from mlops_pipeline.components.drive import Driver
    from mlops_pipeline.components.house import House
    from mlops_pipeline.components.instance import open_instance
    from mlops_pipeline.contract.load import find_contracts, load_contract
    from mlops_pipeline.definitions import defs

    webhook = closing.enter_context(Webhook())
    os.environ["MLOPS_ALERT_URLS"] = webhook.apprise_url
    contract = load_contract(find_contracts(settings.contract_folders)[MODEL])
    instance = open_instance(settings)
    closing.callback(instance.dispose)
    return Story(
        profile=profile,
        contract=contract,
        house=House(),
        driver=Driver(defs(), instance),
        teller=show,
        webhook=webhook,
        closing=closing,
    )


if __name__ == "__main__":
    sys.exit(demo())
