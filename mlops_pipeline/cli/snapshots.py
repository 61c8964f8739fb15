"""`mlops snapshots`: which rows are stored, how they differ, whether they are whole."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.cli.preview import preview
from mlops_pipeline.settings import Settings, read_settings

if TYPE_CHECKING:
    from mlops_pipeline.data.snapshots import Snapshots

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
SHOWN = 20  # objects of a collection
RECORDS = ("records", "node")  # folders of the home whose files name objects


@click.group(cls=Edge)
def snapshots() -> None:
    """Look at stored rows: every snapshot is named by its content."""


snapshots.add_command(preview)


@snapshots.command("list")
@click.option("--model", help="Only this model's.")
@AS_JSON
def list_(model: str | None, as_json: bool) -> None:
    """List the committed snapshots, oldest first."""
    from mlops_pipeline.data.catalog import listing, model_name, models_of

    store = _store(read_settings())
    names = (model_name(model),) if model else models_of(store)
    found = [listed for name in names for listed in listing(store, name)]
    if as_json:
        _print(0, snapshots=found)
    for one in [] if as_json else found:
        sample = "" if one.share == 1 else f"  sample of {one.share:.0%}"
        click.echo(
            f"{one.digest[:16]}  {one.model}  {one.start:%Y-%m} to {one.end:%Y-%m-%d}  "
            f"{one.months} months  {one.rows} rows{sample}"
        )


@snapshots.command()
@click.argument("digest")
@AS_JSON
def show(digest: str, as_json: bool) -> None:
    """Show what a snapshot is made of (its digest, or the first digits of it)."""
    from mlops_pipeline.data.catalog import resolve

    store = _store(read_settings())
    whole = resolve(store, digest)
    manifest = store.manifest(whole)
    log = {entry.digest: entry for entry in store.log(manifest.model)}
    entry = log.get(whole)
    if as_json:
        _print(0, digest=whole, parent=entry and entry.parent, manifest=manifest)
        return
    click.echo(f"{whole}\n  {manifest.model}, {manifest.start} to {manifest.end}")
    click.echo(f"  source {manifest.source}\n  code {manifest.code}")
    click.echo(f"  shape of rows {manifest.contract}")
    if entry is not None:
        click.echo(f"  contract {entry.contract}\n  committed after {entry.parent or 'nothing'}")
    if manifest.share < 1:
        click.echo(f"  a sample: {manifest.share:.0%} of each day and label")
    for part in manifest.parts:
        click.echo(f"  {part.key}  {part.digest[:16]}  {part.rows} rows")


@snapshots.command()
@click.argument("model")
@AS_JSON
def columns(model: str, as_json: bool) -> None:
    """Say which columns MODEL's source gained, lost or retyped from month to month."""
    from mlops_pipeline.data.catalog import model_name
    from mlops_pipeline.data.source_columns import history_of_columns

    found = history_of_columns(_store(read_settings()).root, model_name(model))
    if as_json:
        _print(0, months=found)
        return
    for month in found:
        for change in month.changes:
            click.echo(f"{month.month}  {change}")
    changed = sum(bool(month.changes) for month in found)
    click.echo(f"{len(found)} months noted, {changed} with other columns than the one before")


@snapshots.command()
@click.argument("before")
@click.argument("after")
@AS_JSON
def diff(before: str, after: str, as_json: bool) -> None:
    """Say how AFTER differs from BEFORE; exit code 1 where they do not hold the same rows."""
    from mlops_pipeline.data.catalog import difference, resolve

    store = _store(read_settings())
    found = difference(store, resolve(store, before), resolve(store, after))
    code = 0 if found.same_rows else 1
    if as_json:
        _print(code, difference=found)
    else:
        for part in found.parts:
            click.echo(f"{part.key} {part.change}: {part.rows_before} -> {part.rows_after} rows")
        for line in (*found.columns, *found.causes):
            click.echo(line)
        if found.same_rows:
            click.echo("the same rows")
    click.get_current_context().exit(code)


@snapshots.command()
@click.argument("digests", nargs=-1, metavar="[DIGEST]...")
@AS_JSON
def verify(digests: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of the snapshots (default: all); exit code 1 where one is not whole."""
    from mlops_pipeline.data import catalog

    store = _store(read_settings())
    wanted = [catalog.resolve(store, text) for text in digests] or [
        one.digest for name in catalog.models_of(store) for one in catalog.listing(store, name)
    ]
    faults = [fault for digest in wanted for fault in catalog.verify(store, digest)]
    code = 1 if faults else 0
    if as_json:
        _print(code, verified=len(wanted), faults=faults)
    else:
        for fault in faults:
            click.echo(f"{fault.snapshot[:16]} {fault.part}: {fault.what}")
        click.echo(f"{len(wanted)} snapshots read, {len(faults)} faults")
    click.get_current_context().exit(code)


@snapshots.command()
@click.option("--dry-run", is_flag=True, help="Say what would go; it is what happens anyway.")
@click.option("--delete", is_flag=True, help="Remove it. Nothing brings it back.")
@click.option("--grace-hours", default=24.0, show_default=True, help="Younger objects stay.")
@click.option("--keep", default=1, show_default=True, help="Newest snapshots of a model that stay.")
@AS_JSON
def gc(dry_run: bool, delete: bool, grace_hours: float, keep: int, as_json: bool) -> None:
    """Say which objects no version, rollout, review, record or newest partition reaches."""
    from mlops_pipeline.data.garbage import collect
    from mlops_pipeline.ledger.store import open_ledger, transaction

    if dry_run and delete:
        raise click.UsageError("--dry-run removes nothing and --delete does: say one of them")
    settings = read_settings()
    engine = open_ledger(settings.ledger_url)
    with transaction(engine) as tx:
        found = collect(
            tx,
            _store(settings),
            grace_hours=grace_hours,
            remove=delete,
            newest=max(keep, 1),
            records=[settings.home / folder for folder in RECORDS],
        )
    if as_json:
        _print(0, **asdict(found), bytes=found.size)
        return
    for one in found.unreached[:SHOWN]:
        click.echo(f"{one.digest[:16]}  {one.size} bytes  {one.age_hours:.0f} hours old")
    if len(found.unreached) > SHOWN:
        click.echo(f"… and {len(found.unreached) - SHOWN} more")
    verb = "are gone" if delete else "would go with --delete"
    click.echo(
        f"{found.objects} objects: {found.reached} reached, {found.young} young, "
        f"{len(found.unreached)} {verb} ({found.size / 1e6:.1f} MB)"
    )


def _store(settings: Settings) -> "Snapshots":
    from mlops_pipeline.data.objects import ObjectStore
    from mlops_pipeline.data.snapshots import Snapshots

    return Snapshots(ObjectStore(settings.objects), settings.home / "partitions")


def _print(code: int, **found: Any) -> None:
    plain = msgspec.to_builtins({"ok": code == 0, "exit_code": code, **found})
    click.echo(json.dumps(plain))
