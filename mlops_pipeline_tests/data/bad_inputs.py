"""Bad inputs and what their errors say: one table for the room, the command line and Dagster."""

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_pipeline.data.windows import Window
from mlops_pipeline_tests.data import tiny

DATABASE = "SHOP_DB"  # the variable that holds its URL
PLACES = {"name": "visits", "first": "2024-01-01", "last": "2024-03-01"}

Spoil = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BadInput:
    """`spoil` leaves it in a folder and gives the source's words; `says` is found in the error."""

    spoil: Spoil
    says: str


def month(key: str) -> pd.DataFrame:
    """The raw rows of a month."""
    raw = tiny.raw()
    return raw[Window.of_month(key).mask(raw["at"])]


def as_csv(frame: pd.DataFrame) -> str:
    """The rows as a file of text."""
    return frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S")


def url_of(folder: Path) -> str:
    """The database that a bad input makes in the folder."""
    return f"sqlite:///{folder / 'bad.db'}"


JANUARY = as_csv(month("2024-01"))


def _parquet(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Spoil:
    def spoil(folder: Path) -> dict[str, Any]:
        change(month("2024-01")).to_parquet(folder / "x.parquet")
        return {"kind": "parquet", "location": f"{folder}/x.parquet"}

    return spoil


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _file(name: str, content: bytes) -> Spoil:
    def spoil(folder: Path) -> dict[str, Any]:
        (folder / name).write_bytes(content)
        kind = "parquet" if name.endswith(".parquet") else "csv"
        return {"kind": kind, "location": f"{folder}/{name}"}

    return spoil


def _place(kind: str, location: str) -> Spoil:
    return lambda folder: {"kind": kind, "location": location.format(folder, month="{month}")}


def _misfiled(folder: Path) -> dict[str, Any]:
    month("2024-02").to_parquet(folder / "2024-01.parquet")
    return {"kind": "parquet", "location": f"{folder}/{{month}}.parquet"}


def _unended(folder: Path) -> dict[str, Any]:
    (folder / "notes.txt").write_text("no rows")
    return {"kind": "csv", "location": f"{folder}/"}


def _table(statement: str, table: str = "visits") -> Spoil:
    def spoil(folder: Path) -> dict[str, Any]:
        with closing(sqlite3.connect(folder / "bad.db")) as file:
            file.execute(statement)
            file.commit()
        return {"kind": "sql", "url_from": DATABASE, "table": table}

    return spoil


BAD_INPUTS: dict[str, BadInput] = {
    "an empty partition": BadInput(
        _parquet(lambda f: f.head(0)), "gave no row for 2024-01-01.*is the window right"
    ),
    "an empty table": BadInput(
        _table("create table visits (at timestamp, shop text)"), "gave no row for 2024-01-01"
    ),
    "a missing column": BadInput(
        _parquet(lambda f: f.rename(columns={"amount": "sum"})),
        "no column amount; the source has .*sum",
    ),
    "a retyped column": BadInput(
        _parquet(lambda f: f.assign(items="many")),
        "column items: 'many' cannot be read as a number",
    ),
    "a time zone": BadInput(
        _parquet(lambda f: f.assign(at=f["at"].dt.tz_localize("UTC"))),
        "column at: times carry the zone UTC",
    ),
    "a missing file": BadInput(
        _place("parquet", "{0}/no.parquet"), "no.parquet: there is no such file"
    ),
    "a missing folder": BadInput(
        _place("csv", "{0}/no/{month}.csv"), "2024-01.csv: there is no such file"
    ),
    "a folder without files": BadInput(_unended, "no file ends with .csv or .csv.gz"),
    "an unreadable file": BadInput(
        _file("x.parquet", b"PAR1 and then nothing"),
        r"x.parquet: is no readable parquet \(21 bytes",
    ),
    "a cut file": BadInput(
        _file("x.csv.gz", _cut(gzip.compress(JANUARY.encode()))),
        "x.csv.gz: is no readable csv .*ended before",
    ),
    "a damaged file": BadInput(
        _file("x.csv.gz", gzip.compress(JANUARY.encode())[:12] + b"\xff" * 40),
        "x.csv.gz: is no readable csv .*invalid",
    ),
    "an empty file": BadInput(_file("x.csv", b""), "x.csv: is no readable csv .*Empty CSV"),
    "another encoding": BadInput(
        _file("x.csv", JANUARY.replace("v2", "Zoë").encode("latin-1")),
        "encoding utf-8.: column visitor: .*invalid UTF8 data in line 3; is it of another encoding",
    ),
    "a word where a number stands": BadInput(
        _file("x.csv", JANUARY.replace("10.0", "ten").encode()),
        "column amount: CSV conversion error to double: invalid value 'ten'",
    ),
    "rows filed under another month": BadInput(_misfiled, "1 of 1 rows are of another month"),
    "a variable that is not set": BadInput(
        _place("csv", "$NOWHERE/x.csv"), r"\$NOWHERE is not set in the environment"
    ),
    "a credential in a place": BadInput(
        _place("csv", "s3://visits/$MY_TOKEN/x.csv"), r"\$MY_TOKEN is a credential by its name"
    ),
    "a table that is not there": BadInput(
        _table("create table visit (at timestamp)"), "bad.db: no table visits"
    ),
    "a table without its time": BadInput(
        _table("create table visits (moment timestamp)"), "no column at; the table has moment"
    ),
}
