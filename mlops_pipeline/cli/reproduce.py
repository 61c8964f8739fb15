"""`mlops reproduce MODEL VERSION`: build it again and prove that it is the same."""

import json
from dataclasses import asdict

import click

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.proof import open_stores, registered
from mlops_pipeline.registry.reproduce import Answer
from mlops_pipeline.registry.reproduce import reproduce as rebuild
from mlops_pipeline.settings import read_settings


@click.command()
@click.argument("model")
@click.argument("version")
@click.option("--small", is_flag=True, help="Fit a sample twice instead of everything once.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reproduce(model: str, version: str, small: bool, as_json: bool) -> int:
    """Rebuild VERSION of MODEL from its lineage.

    Exit code 0: every byte is equal. 1: something differs, and where first. 2: it cannot be rebuilt
    here, and what is missing.
    """
    stores = open_stores(read_settings())
    try:
        known = registered(stores, model, version)
    except RegistryError as error:  # the version itself is what is missing
        return _told_missing(str(error), as_json)
    found = rebuild(stores, known, small=small)
    if as_json:
        told = {
            **asdict(found),
            "answer": found.answer.name.lower(),
            "exit_code": int(found.answer),
        }
        click.echo(json.dumps(told))
        return int(found.answer)
    click.echo(f"{found.answer.name.lower()}: {found.text}")
    for note in found.notes:
        click.echo(f"  another environment: {note}")
    if found.largest_prediction_difference:
        click.echo(f"  predictions differ at most by {found.largest_prediction_difference:.3g}")
    click.echo(f"  {found.rows:,} training rows, {found.seconds} s")
    return int(found.answer)


def _told_missing(text: str, as_json: bool) -> int:
    cannot = Answer.CANNOT
    told = {"answer": cannot.name.lower(), "text": text, "exit_code": int(cannot)}
    click.echo(json.dumps(told) if as_json else f"{told['answer']}: {text}")
    return int(cannot)
