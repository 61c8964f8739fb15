"""`mlops review`: what waits for a person, and a person's answer."""

import getpass
import json
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.settings import read_settings

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group(cls=Edge)
def review() -> None:
    """Answer what the pipeline asks: a check that failed, a candidate that did not pass."""


@review.command("list")
@click.option("--model", help="Only this model's.")
@AS_JSON
def list_(model: str | None, as_json: bool) -> None:
    """List open questions, oldest first."""
    from mlops_pipeline.ledger import reviews
    from mlops_pipeline.ledger.store import open_ledger, reading

    with reading(open_ledger(read_settings().ledger_url)) as view:
        items = reviews.open_items(view, model)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"ok": True, "exit_code": 0, "items": items})))
        return
    for item in items:
        said = item.detail.get("summary", "")
        click.echo(
            f"{item.id}  {item.severity}  {item.model}/{item.kind}  {item.check}  "
            f"{item.subject[:16]}  {said}"
        )
    if not items:
        click.echo("nothing waits")


@review.command()
@click.argument("number", type=int, metavar="ID")
@AS_JSON
def show(number: int, as_json: bool) -> None:
    """Show one question whole: counts by reason, the first failing rows, and the answer."""
    from mlops_pipeline.ledger import reviews
    from mlops_pipeline.ledger.store import open_ledger, reading

    with reading(open_ledger(read_settings().ledger_url)) as view:
        item = reviews.get(view, number)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins({"ok": True, "exit_code": 0, "item": item})))
        return
    click.echo(f"{item.check} of {item.model}, {item.severity}, {item.subject}")
    click.echo(f"  {item.detail.get('summary', '')}")
    for reason, count in dict(item.detail.get("counts") or {}).items():
        click.echo(f"  {count} rows: {reason}")
    for row in item.detail.get("rows") or ():
        click.echo("  " + "  ".join(f"{name}={value}" for name, value in row.items()))
    answer = f"{item.approver}: {item.reason}" if item.approved else "nobody has answered"
    click.echo(f"  {answer}")


@review.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--reason", required=True, help="Why this may pass; it is kept for ever.")
@click.option("--by", "approver", help="Who says so. Default: the login name.")
@AS_JSON
def approve(number: int, reason: str, approver: str | None, as_json: bool) -> None:
    """Let exactly this snapshot pass exactly this check. Other rows are asked about again."""
    from mlops_pipeline.ledger import reviews
    from mlops_pipeline.ledger.store import open_ledger, transaction

    with transaction(open_ledger(read_settings().ledger_url)) as tx:
        row = reviews.approve(
            tx, number, approver=approver or login_name(), reason=reason, now=datetime.now(UTC)
        )
    if as_json:
        plain: Any = msgspec.to_builtins({"ok": True, "exit_code": 0, "item": row})
        click.echo(json.dumps(plain))
    else:
        click.echo(
            f"{row.approver} let {row.subject[:16]} pass {row.check} of {row.model}: {row.reason}"
        )


@review.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--set", "changes", multiple=True, metavar="trainer.params.NAME=VALUE")
@click.option("--url", help="Dagster's address. Default: DAGSTER_URL.")
@AS_JSON
def rerun(number: int, changes: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Launch the next attempt after a failed candidate, as `mlops remediation rerun` does."""
    from mlops_pipeline.cli.remediation import relaunch

    relaunch(number, changes, url, as_json)


def login_name() -> str:
    """The name of whoever typed.

    Raises:
        UsageError: it has none, as in some containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        raise click.UsageError("who are you? say --by NAME") from None
