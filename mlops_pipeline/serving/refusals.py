"""Refusals: which field of a request breaks the contract, what is wrong and what is allowed."""

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_pipeline.contract.columns import Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract

# Event times are local times without a zone.
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
EARLIEST = datetime(1900, 1, 1)  # noqa: DTZ001
LATEST = datetime(2200, 1, 1)  # noqa: DTZ001
EARLIEST_SECONDS = (EARLIEST - EPOCH).total_seconds()
LATEST_SECONDS = (LATEST - EPOCH).total_seconds()
MAX_TEXT = 1_000  # characters of one category or text value
MALFORMED = 400
TIMED_OUT = 408
TOO_LARGE = 413
WRONG_TYPE = 415
AGAINST_CONTRACT = 422
# RFC 3339 without a zone: what the fast reader takes.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?")
_SHOWN = 60  # characters of the client's own value that an answer repeats


@dataclass(frozen=True, slots=True)
class Refusal:
    """A client's mistake, as it is told to the client; `field` is `body` for the whole."""

    status: int
    field: str
    what: str
    allowed: str


def explain(contract: ModelContract, body: bytes, reason: str) -> Refusal:
    """Why `body`, which the fast reader refused for `reason`, does not meet the contract."""
    data = read_json(body)
    return data if isinstance(data, Refusal) else explain_row(contract, data, reason)


def read_json(body: bytes) -> Any | Refusal:
    """The JSON value in `body`, or why it is none. NaN and Infinity are values here."""
    try:
        return json.loads(body.decode("utf-8"))
    except RecursionError:
        return Refusal(MALFORMED, "body", "nested too deeply", "one flat JSON object")
    except UnicodeDecodeError as error:
        return Refusal(
            MALFORMED, "body", f"not UTF-8 at byte {error.start}", "a JSON object in UTF-8"
        )
    except ValueError as error:
        return Refusal(MALFORMED, "body", f"not JSON: {error}", "one JSON object")


def explain_row(contract: ModelContract, data: Any, reason: str) -> Refusal:
    """Why the value `data`, which was refused for `reason`, is no row of the contract."""
    if not isinstance(data, dict):
        return Refusal(
            AGAINST_CONTRACT, "body", f"a JSON {_kind(data)}, not an object", "one JSON object"
        )
    columns = {column.name: column for column in contract.request_columns}
    for name in data:
        if name not in columns:
            return Refusal(
                AGAINST_CONTRACT, _shown(name), "unknown field", f"one of: {', '.join(columns)}"
            )
    for column in columns.values():
        refusal = _judge(column, data, contract.features.unknown_category == "reject")
        if refusal is not None:
            return refusal
    return Refusal(MALFORMED, "body", f"not read: {reason}"[:200], "one JSON object")


def allowed(column: Column) -> str:
    """What a column takes, in words."""
    kinds = {
        ColumnType.NUMBER: "a number",
        ColumnType.INTEGER: "a whole number",
        ColumnType.TEXT: f"a text of at most {MAX_TEXT} characters",
        ColumnType.TIME: "local time as YYYY-MM-DDTHH:MM:SS without a zone, or seconds since 1970, "
        f"from {EARLIEST:%Y} to before {LATEST:%Y}",
    }
    if column.type is ColumnType.CATEGORY:
        text = f"one of: {', '.join(column.categories)}"
    else:
        text = kinds[column.type]
    if column.severity is Severity.ERROR:
        if column.minimum is not None:
            text += f", at least {column.minimum:g}"
        if column.maximum is not None:
            text += f", at most {column.maximum:g}"
    return f"{text}, or null" if column.nullable else text


def _judge(column: Column, data: dict[str, Any], closed: bool) -> Refusal | None:
    if column.name not in data:
        return None if column.nullable else _refused(column, "missing field")
    value = data[column.name]
    if value is None:
        return None if column.nullable else _refused(column, "null")
    if column.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        what = _wrong_text(column, value, closed)
    elif column.type is ColumnType.TIME:
        what = _wrong_time(value)
    else:
        what = _wrong_number(column, value)
    return None if what is None else _refused(column, what)


def _wrong_text(column: Column, value: Any, closed: bool) -> str | None:
    if not isinstance(value, str):
        return f"a JSON {_kind(value)}, not a string"
    if column.type is ColumnType.CATEGORY and closed and value not in column.categories:
        return f"unknown category {_shown(value)!r}"
    if len(value) > MAX_TEXT:
        return f"{len(value)} characters"
    return None


def _wrong_time(value: Any) -> str | None:
    if _is_number(value):
        value = _as_float(value)
        if EARLIEST_SECONDS <= value < LATEST_SECONDS:
            return None
        return f"{value:g} seconds is outside the range"
    if not isinstance(value, str):
        return f"a JSON {_kind(value)}, not a time"
    if not _TIME.fullmatch(value):
        return f"{_shown(value)!r} is not such a time"
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return f"{_shown(value)!r} is not such a time"
    if not EARLIEST <= moment < LATEST:
        return f"{_shown(value)!r} is outside the range"
    return None


def _wrong_number(column: Column, value: Any) -> str | None:
    if not _is_number(value):
        return f"a JSON {_kind(value)}, not a number"
    number = _as_float(value)
    if not math.isfinite(number):
        return f"{number} is not finite"
    if column.type is ColumnType.INTEGER and number != math.floor(number):
        return f"{number:g} is not whole"
    if column.severity is Severity.WARN:
        return None
    if column.minimum is not None and number < column.minimum:
        return f"{number:g} is below {column.minimum:g}"
    if column.maximum is not None and number > column.maximum:
        return f"{number:g} is above {column.maximum:g}"
    return None


def _refused(column: Column, what: str) -> Refusal:
    return Refusal(AGAINST_CONTRACT, column.name, what, allowed(column))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond float64
        return math.inf if value > 0 else -math.inf


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "number"


def _shown(text: str) -> str:
    """At most a few characters, all of them printable."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
    return clean + ("…" if len(text) > _SHOWN else "")
