"""`mlops new`: a model that works, to be changed into yours."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from mlops_pipeline.contract.scaffold import FILES, NewModel, scaffold
from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.settings import Settings, read_settings


@click.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The folder of models [default: the first of MLOPS_CONTRACTS].",
)
@click.option(
    "--task",
    type=click.Choice(list(TASKS)),
    default="binary",
    show_default=True,
    help="What is asked: yes or no, a number, or one of several classes.",
)
def new(name: str, folder: Path | None, task: str) -> None:
    """Make a model NAME: a contract, a source of made-up rows, a feature function."""
    settings = read_settings()
    made = scaffold(name, folder or settings.contract_folders[0], task=task)
    click.echo(f"made {made.folder}: {', '.join(FILES)}")
    for line in next_steps(made, settings):
        click.echo(line)


def next_steps(made: NewModel, settings: Settings) -> Iterator[str]:
    """What to type now, one line each."""
    yield "Next:"
    if not made.importable:
        path = ":".join(filter(None, [str(made.import_from), os.environ.get("PYTHONPATH")]))
        yield f"  export PYTHONPATH={path}"
    if made.folder.parent not in settings.contract_folders:
        folders = ":".join(str(f) for f in (*settings.contract_folders, made.folder.parent))
        yield f"  export MLOPS_CONTRACTS={folders}"
    yield f"  mlops contract check {made.folder}"
    yield f"  mlops snapshots preview {made.name} 2024-01   # read a month and check it"
    yield f"  mlops dev          # then launch {made.name}__ingest and {made.name}__train"
    yield "Then put your rows into source.py, your columns and promises into contract.yaml."
