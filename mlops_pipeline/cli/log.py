"""`mlops log`: what servers answered, and whether every answer left its record."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from heapq import nlargest
from pathlib import Path

import click
import msgspec

from mlops_pipeline.cli.edge import Edge
from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_counts import Counted, read_counts
from mlops_pipeline.serving.log_spool import PARQUET
from mlops_pipeline.serving.request_log import Outcome, RequestRecord, log_files, read_records
from mlops_pipeline.settings import read_settings

LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class LogStats:
    """One version's log. `estimated` weights each good answer by 1 / rate."""

    version: str
    records: int
    estimated: float
    outcomes: dict[str, int]
    arms: dict[str, int]
    spool_files: int
    parquet_files: int
    bytes: int
    sampled_out: int
    dropped: int
    waiting: int
    lost: int  # died with a killed process


@click.group(cls=Edge)
def log() -> None:
    """Look at the records of answered requests."""


@log.command()
@click.argument("model")
@click.option("--version", help="Only this version's; every version's where missing.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many of the newest.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Each record as one JSON object a line.")
def tail(model: str, version: str | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show the newest records of MODEL."""
    folder = _folder(model, version)
    newest = nlargest(lines, read_records(folder), key=lambda record: (record.at, record.id))
    shown = {(record.version, record.id, record.arm) for record in newest}
    for record in reversed(newest):
        click.echo(_line(record, as_json))
    since = max((record.at for record in newest), default=0.0)
    while follow:
        time.sleep(LOOK_EVERY)
        for record in sorted(read_records(folder, since), key=lambda r: (r.at, r.id)):
            name = (record.version, record.id, record.arm)
            if name not in shown:
                shown.add(name)
                since = max(since, record.at)
                click.echo(_line(record, as_json))


@log.command()
@click.argument("model")
@click.option("--version", help="Only this version's; every version's where missing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def stats(model: str, version: str | None, as_json: bool) -> None:
    """Count the records of MODEL, and what left none: sampled out, dropped, lost."""
    found = [_stats(folder) for folder in _versions(model, version)]
    if as_json:
        click.echo(json.dumps({"ok": True, "model": model, "versions": [asdict(s) for s in found]}))
        return
    for one in found:
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(one.outcomes.items()))
        click.echo(
            f"version {one.version}: {one.records} records ({outcomes or 'none'}), "
            f"{one.spool_files} spool and {one.parquet_files} Parquet files, "
            f"{one.bytes / 2**20:.1f} MiB; sampled out {one.sampled_out}, dropped {one.dropped}, "
            f"waiting {one.waiting}, lost {one.lost}"
        )


def _stats(folder: Path) -> LogStats:
    outcomes: Counter[str] = Counter()
    arms: Counter[str] = Counter()
    estimated = 0.0
    for record in read_records(folder):
        outcomes[record.outcome] += 1
        arms[record.arm] += 1
        estimated += 1 / record.rate if record.outcome is Outcome.OK else 0.0
    files = log_files(folder)
    counts = list(read_counts(folder))
    return LogStats(
        version=folder.name,
        records=outcomes.total(),
        estimated=estimated,
        outcomes=dict(outcomes),
        arms=dict(arms),
        spool_files=sum(path.suffix != PARQUET for path in files),
        parquet_files=sum(path.suffix == PARQUET for path in files),
        bytes=sum(path.stat().st_size for path in files),
        sampled_out=sum(c.sampled_out for c in counts),
        dropped=sum(c.dropped + c.unwritable for c in counts),
        waiting=sum(c.pending for c in counts if c.alive),
        lost=sum(_lost(counts)),
    )


def _lost(counts: list[Counted]) -> Iterator[int]:
    return (one.lost for one in counts)


def _versions(model: str, version: str | None) -> list[Path]:
    folder = _folder(model, version)
    return [folder] if version is not None else sorted(p for p in folder.iterdir() if p.is_dir())


def _folder(model: str, version: str | None) -> Path:
    root = read_settings().request_log
    folder = root / model if version is None else root / model / version
    if not folder.is_dir():
        known = sorted(p.name for p in folder.parent.glob("*") if p.is_dir())
        raise ServingError(
            f"{folder} holds no request log; there are: {', '.join(known) or 'none yet'}"
        )
    return folder


def _line(record: RequestRecord, as_json: bool) -> str:
    if as_json:
        return msgspec.json.encode(record).decode()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.at))
    score = "-" if record.score is None else f"{record.score:.4f}"
    return (
        f"{at} v{record.version} {record.arm} {record.status} {record.outcome} {score} "
        f"{record.latency_ms:.2f}ms id={record.id} unit={record.unit}"
    )
