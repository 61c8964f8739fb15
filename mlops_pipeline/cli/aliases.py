"""`mlops aliases`: the registry's aliases, drawn again from the ledger."""

import json

import click
import msgspec

from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.registry.mlflow import open_registry
from mlops_pipeline.registry.projection import ALIASES, project_aliases
from mlops_pipeline.settings import read_settings


@click.command()
@click.option("--model", help="Only this model's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def aliases(model: str | None, as_json: bool) -> int:
    """Mend MLflow's aliases where they differ from the ledger, and say what was mended.

    Exit code 3 where MLflow refused one.
    """
    settings = read_settings()
    ledger, registry = open_ledger(settings.ledger_url), open_registry(settings)
    with reading(ledger) as view:
        models = (model,) if model else versions.models(view)
    repairs = [r for name in models for r in project_aliases(ledger, registry, name)]
    code = 3 if any(r.error for r in repairs) else 0
    if as_json:
        stand = {name: registry.aliases(name) for name in models}
        told = {"ok": not code, "exit_code": code, "repaired": repairs, "aliases": stand}
        click.echo(json.dumps(msgspec.to_builtins(told)))
        return code
    for name in models:
        found = registry.aliases(name)
        shown = ", ".join(f"{a} {found[a]}" for a in ALIASES if a in found)
        click.echo(f"{name}: {shown or 'no alias'}")
    for repair in repairs:
        click.echo(f"  mended {repair}" if not repair.error else f"  {repair}")
    return code
