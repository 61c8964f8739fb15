"""`mlops snapshots preview`: what the source gives, and what the checks say of it."""

import json
from typing import TYPE_CHECKING

import click
import msgspec

from mlops_pipeline.contract.load import find_contracts, load_contract
from mlops_pipeline.errors import ContractError
from mlops_pipeline.settings import Settings, read_settings

if TYPE_CHECKING:
    from mlops_pipeline.contract.model import ModelContract
    from mlops_pipeline.data.quality import CheckOutcome


@click.command()
@click.argument("model")
@click.argument("month")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def preview(model: str, month: str, as_json: bool) -> None:
    """Read MONTH (as 2024-03) of MODEL's source and check it; nothing is stored.

    Exit code 1 where a check fails whose severity is an error, 3 where the source cannot be read.
    """
    settings = read_settings()
    known = find_contracts(settings.contract_folders)
    if model not in known:
        raise ContractError(f"no contract of {model} is among {', '.join(known) or 'none'}")
    rows, outcomes = _checked(settings, load_contract(known[model]), month)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    code = 1 if any(outcome.severity.value == "error" for outcome in failed) else 0
    if as_json:
        told = {"ok": code == 0, "exit_code": code, "rows": rows, "outcomes": outcomes}
        click.echo(json.dumps(msgspec.to_builtins(told)))
    else:
        for outcome in failed:
            click.echo(f"{outcome.severity.value}  {outcome.name}  {outcome.summary}")
            for row in outcome.rows:
                click.echo("  " + "  ".join(f"{name}={value}" for name, value in row.items()))
        click.echo(f"{rows} rows of {month}, {len(outcomes)} checks, {len(failed)} failed")
    click.get_current_context().exit(code)


def _checked(
    settings: Settings, contract: "ModelContract", month: str
) -> "tuple[int, tuple[CheckOutcome, ...]]":
    from mlops_pipeline.data.objects import ObjectStore
    from mlops_pipeline.data.quality import run_checks
    from mlops_pipeline.data.snapshots import Snapshots
    from mlops_pipeline.data.source_columns import kinds_of, noted_columns
    from mlops_pipeline.data.sources import conform, read_raw
    from mlops_pipeline.data.windows import Window

    window = Window.of_month(month)
    raw = read_raw(contract, window)
    frame = conform(contract, raw, window)
    stored = Snapshots(ObjectStore(settings.objects), settings.home / "partitions")
    noted = noted_columns(stored.root, contract.name)
    outcomes = run_checks(
        contract,
        frame,
        reference=None,
        usual_rows=[part.rows for part in stored.parts(contract.name).values()],
        as_of=window.end,
        source_columns=dict(sorted({**noted, month: kinds_of(raw)}.items())),
    )
    return len(frame), outcomes
