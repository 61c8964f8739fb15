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

from mlops_pipeline.delivery.drills import database
from mlops_pipeline.delivery.drills.catalogue import DRILLS
from mlops_pipeline.delivery.drills.harms import LEDGER
from mlops_pipeline.delivery.drills.matrix import CellReport, cells, run_matrix
from mlops_pipeline.delivery.drills.run import DrillReport, run_drill
from mlops_pipeline.delivery.drills.tables import drills_table, matrix_summary, matrix_table

EVERYWHERE = [name for name in DRILLS if name != "disk-full"]  # which fills a disk


@click.command()
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Run all of them, one after the other.")
@click.option("--matrix", is_flag=True, help="Kill everything in every state: 20 minutes.")
@click.option("--only", multiple=True, help="Cells of the matrix whose name contains this.")
@click.option("--port", type=int, default=None, help="Where the scratch router listens.")
@click.option("--keep", is_flag=True, help="Keep the scratch instance's files and say where.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--table", type=click.Path(path_type=Path), help="Write Markdown tables there, too.")
def drill(
    name: str | None,
    every: bool,
    matrix: bool,
    only: tuple[str, ...],
    port: int | None,
    keep: bool,
    as_json: bool,
    table: Path | None,
) -> None:
    """Hurt a scratch instance under load as NAME says, and check what is left.

    Without a name, list them. Nothing of your own instance is touched.
    """
    if name is None and not every and not matrix:
        _list()
        return
    named = EVERYWHERE if every else [name] if name is not None else []
    reports = [_run(one, port, keep=keep) for one in named]
    tried = _matrix(only, quiet=as_json, keep=keep) if matrix else ()
    if table is not None:
        parts = [drills_table(reports) if reports else ""]
        parts += [matrix_table(tried), matrix_summary(tried) + "\n"] if tried else []
        table.write_text("\n".join(part for part in parts if part))
    if as_json:
        found = {"drills": [asdict(r) for r in reports], "matrix": [asdict(c) for c in tried]}
        click.echo(json.dumps(found))
    else:
        _show(reports, tried)
    passed = [*(report.passed for report in reports), *(report.passed for report in tried)]
    sys.exit(0 if all(passed) else 1)


def _matrix(only: tuple[str, ...], *, quiet: bool, keep: bool) -> tuple[CellReport, ...]:
    """The chosen cells, each told as soon as it is known."""
    here = [c for c in cells() if c.harm != LEDGER.name or database.installed()]
    if len(here) < len(cells()):
        click.echo("no PostgreSQL is on the path: its column of the matrix is left out", err=True)
    chosen = [c for c in here if not only or any(word in str(c) for word in only)]
    folder = Path(tempfile.mkdtemp(prefix="mlops-drill-"))

    def say(report: CellReport) -> None:
        if not quiet:
            click.echo(f"{'ok' if report.passed else 'NO'} {report.cell} {report.trouble}")

    try:
        return run_matrix(chosen, folder, say)
    finally:
        if keep:
            click.echo(f"matrix: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


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


def _show(reports: list[DrillReport], tried: tuple[CellReport, ...]) -> None:
    if tried:
        click.echo(matrix_summary(tried))
    if not reports:
        return
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
