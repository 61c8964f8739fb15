"""`mlops doctor`: can this machine run the pipeline, and if not, how is it mended?"""

import json
import os
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape

from mlops_pipeline.cli.edge import BROKEN
from mlops_pipeline.cli.machine import Finding, State, look

SIGNS = {
    State.OK: "[green]ok    [/]",
    State.WARN: "[yellow]warn  [/]",
    State.BROKEN: "[red]broken[/]",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Look at this machine; say how to mend what is broken. Exit code 3 where something is."""
    findings = look(os.environ)
    report(findings, as_json)
    click.get_current_context().exit(exit_code(findings))


def exit_code(findings: tuple[Finding, ...]) -> int:
    """0 where nothing is broken."""
    return BROKEN if any(f.state is State.BROKEN for f in findings) else 0


def report(findings: tuple[Finding, ...], as_json: bool) -> None:
    """The findings are printed, the mending below each that needs it."""
    if as_json:
        code = exit_code(findings)
        said = {"ok": code == 0, "exit_code": code, "findings": [asdict(f) for f in findings]}
        click.echo(json.dumps(said))
        return
    console = Console(highlight=False)
    for finding in findings:
        line = f"{SIGNS[finding.state]} {escape(finding.name)}: {escape(finding.found)}"
        console.print(line, soft_wrap=True)
        if finding.state is not State.OK:
            console.print(f"       -> {escape(finding.mend)}", soft_wrap=True)
