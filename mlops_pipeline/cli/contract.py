"""`mlops contract`: is this contract whole, and what may stand in one?"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from mlops_pipeline.cli.edge import USAGE, Edge
from mlops_pipeline.contract.load import contract_digest, find_contracts, load_contract
from mlops_pipeline.contract.schema import contract_schema
from mlops_pipeline.errors import ContractError
from mlops_pipeline.settings import read_settings


@dataclass(frozen=True, slots=True)
class Checked:
    """One contract that was looked at; it has a name and a digest where it could be read."""

    path: str
    name: str | None
    digest: str | None
    problems: list[str]


@click.group(cls=Edge)
def contract() -> None:
    """Check contracts, or say what may stand in one."""


@contract.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check each contract (a file, or its folder), and that its functions take what they must.

    Without a PATH: every contract in MLOPS_CONTRACTS. Exit code 4 where one is not whole.
    """
    found = [_checked(path) for path in _files(paths)]
    code = USAGE if any(one.problems for one in found) else 0
    if as_json:
        contracts = [{**asdict(one), "ok": not one.problems} for one in found]
        click.echo(json.dumps({"ok": code == 0, "exit_code": code, "contracts": contracts}))
    else:
        for one in found:
            for line in one.problems or [f"{one.path}: {one.name} is whole"]:
                click.echo(line)
    click.get_current_context().exit(code)


@contract.command()
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead.")
def schema(output: Path | None) -> None:
    """Print the contract's JSON Schema.

    An editor with YAML support uses it after this first line in a contract:
    # yaml-language-server: $schema=contract.schema.json
    """
    text = json.dumps(contract_schema(), indent=2)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        click.echo(f"wrote {output}", err=True)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    if paths:
        return [path / "contract.yaml" if path.is_dir() else path for path in paths]
    folders = read_settings().contract_folders
    found = list(find_contracts(folders).values())
    if not found:
        names = ", ".join(str(folder) for folder in folders)
        raise ContractError(f"no */contract.yaml in {names}; make one with: mlops new NAME")
    return found


def _checked(path: Path) -> Checked:
    from mlops_pipeline.cli.trial import problems  # pandas, half a second

    try:
        whole = load_contract(path)
    except ContractError as error:
        return Checked(str(path), None, None, str(error).splitlines())
    return Checked(str(path), whole.name, contract_digest(whole), problems(path, whole))
