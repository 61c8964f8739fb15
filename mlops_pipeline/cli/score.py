"""`mlops score`: a file of rows becomes a file of answers, with exactly the served numbers."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mlops_pipeline.settings import Settings, read_settings

if TYPE_CHECKING:
    from mlops_pipeline.serving.batch import BatchScorer


@click.command()
@click.argument("model")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path, exists=True))
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--version", help="Which version scores; the champion where missing.")
@click.option("--threads", default=os.cpu_count() or 1, show_default=True, help="For the model.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def score(
    model: str, source: Path, target: Path, version: str | None, threads: int, as_json: bool
) -> None:
    """Score the rows of INPUT with a version of MODEL into OUTPUT, both Parquet.

    A row that the server would refuse has no probability, and an error that says why. Stopped, it
    goes on where it was when it is run again.
    """
    from mlops_pipeline.serving.batch_file import score_file  # pandas and pyarrow

    scorer = _scorer(read_settings(), model, version, threads)
    started = time.monotonic()
    with _bar() as bar:
        task = bar.add_task(f"{model} version {scorer.version}", total=None)
        report = score_file(
            scorer,
            source,
            target,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps({"ok": True, **asdict(report), "seconds": round(seconds, 3)}))
        return
    click.echo(
        f"{report.rows} rows in {seconds:.1f} s: {report.scored} scored by version "
        f"{report.version}, {report.refused} refused (see column error), "
        f"{report.resumed} were there already; wrote {target}"
    )


def _scorer(settings: Settings, model: str, version: str | None, threads: int) -> "BatchScorer":
    from mlops_pipeline.serving.batch_open import open_scorer

    return open_scorer(settings, model, version, threads=threads)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not Console(stderr=True).is_terminal,
    )
