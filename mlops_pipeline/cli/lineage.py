"""`mlops lineage MODEL VERSION`: where a version came from, and whether its signature holds."""

import json
from dataclasses import asdict

import click

from mlops_pipeline.registry.graph import ancestry, lines, mermaid, openlineage
from mlops_pipeline.registry.proof import open_stores, registered, signature_words
from mlops_pipeline.registry.standing import stored_report
from mlops_pipeline.settings import read_settings


@click.command()
@click.argument("model")
@click.argument("version")
@click.option("--mermaid", "form", flag_value="mermaid", help="A Mermaid flow chart.")
@click.option("--openlineage", "form", flag_value="openlineage", help="An OpenLineage run event.")
@click.option("--json", "form", flag_value="json", help="The tree as one JSON object.")
def lineage(model: str, version: str, form: str | None) -> None:
    """Show what VERSION of MODEL was made from, down to rows, code and packages."""
    stores = open_stores(read_settings())
    known = registered(stores, model, version)
    report = None if known.verdict is None else stored_report(stores.objects, known.verdict.report)
    baseline = report.champion_version if report else None
    tree = ancestry(
        known.row,
        known.lineage,
        verdict=known.verdict,
        signature=signature_words(stores, known.row),
        baseline=None if baseline is None else f"version {baseline}",
    )
    if form == "mermaid":
        click.echo(mermaid(tree))
    elif form == "openlineage":
        run = known.verdict.run_id if known.verdict else ""
        click.echo(json.dumps(openlineage(known.row, known.lineage, run=run), indent=2))
    elif form == "json":
        click.echo(json.dumps(asdict(tree)))
    else:
        click.echo("\n".join(lines(tree)))
