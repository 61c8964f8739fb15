"""`mlops drill`: rehearse a failure on a scratch instance of your own."""

import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from mlops_pipeline.delivery.drills.catalogue import DRILLS
from mlops_pipeline.delivery.drills.run import DrillReport, run_drill

EVERYWHERE = [name for name in DRILLS if name != "disk-full"]  # which fills a disk


@click.command()
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Run all of them, one after the other.")
@click.option("--port", type=int, default=None, help="Where the scratch router listens.")
@click.option("--keep", is_flag=True, help="Keep the scratch instance's files and say where.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def drill(name: str | None, every: bool, port: int | None, keep: bool, as_json: bool) -> None:
    """Hurt a scratch instance under load as NAME says, and check what is left.

    Without a name, list them. Nothing of your own instance is touched.
    """
    if name is None and not every:
        _list()
        return
    reports = [_run(one, port, keep=keep) for one in (EVERYWHERE if every else (str(name),))]
    if as_json:
        click.echo(json.dumps({"drills": [asdict(r) for r in reports]}))
    else:
        _show(reports)
    sys.exit(0 if all(report.passed for report in reports) else 1)


def _run(name: str, port: int | None, *, keep: bool) -> DrillReport:
    folder = Path(tempfile.mkdtemp(prefix="mlops-drill-"))
    try:
        return run_drill(name, folder / "home", port=port)
    finally:
        if keep:
            click.echo(f"{name}: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _list() -> None:
    table = Table("drill", "what is hurt")
    for name, one in DRILLS.items():
        table.add_row(name, one.harm)
    Console(highlight=False).print(table)


def _show(reports: list[DrillReport]) -> None:
    table = Table(
        "drill", "passed", "rollout", "serves", "agreed after", "failed / sent", "trouble"
    )
    for r in reports:
        table.add_row(
            *(r.name, "yes" if r.passed else "NO", r.state, r.serving, f"{r.settle_seconds} s"),
            f"{sum(r.failed.values())} / {r.sent}",
            r.trouble,
        )
    Console(highlight=False).print(table)
