"""MLflow's scoring protocol: `POST /invocations` in every form that `mlflow models serve` takes.

    {"dataframe_split": {"columns": […], "data": [[…], …]}}
    {"dataframe_records": [{…}, …]}
    {"instances": [{…}, …]}
    {"inputs": {"column": […], …}}          or a list of objects
    text/csv with a header line

The answer is `{"predictions": [score, …]}`, of classes with an object of the answer's fields for
each row; errors carry MLflow's `error_code` and `message`,
and our `error` with field, what and allowed.

Source: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/
"""

import csv
import io
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.serving.dialects import Asked, Content, Headers, detail, sentence, too_many
from mlops_pipeline.serving.predictor import Prediction
from mlops_pipeline.serving.refusals import AGAINST_CONTRACT, MALFORMED, Refusal, read_json

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CSV = b"text/csv"
_ONE_OF = f"one of: {', '.join(FORMS)}"

Rows = Sequence[Mapping[str, Any]]


class Invocations:
    """MLflow's dialect for one contract."""

    kinds: tuple[bytes, ...] = (b"application/json", CSV)

    def __init__(self, contract: ModelContract) -> None:
        self._texts = frozenset(
            column.name
            for column in contract.request_columns
            if column.type in (ColumnType.CATEGORY, ColumnType.TEXT)
        )
        self._classes = contract.classes
        self._decode = msgspec.json.Decoder().decode
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes, headers: Headers) -> Asked | Refusal:
        """See `Dialect.read`."""
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        rows = self._csv(body) if kind == CSV else self._json(body)
        if isinstance(rows, Refusal):
            return rows
        return too_many(len(rows)) or Asked(rows)

    def answer(self, id: str, asked: Asked, told: Sequence[Prediction]) -> Content:
        """See `Dialect.answer`."""
        return Content(self._encode({"predictions": [self._told(one) for one in told]}))

    def _told(self, one: Prediction) -> float | dict[str, Any]:
        if one.classes is None:
            return one.score
        classes = dict(zip(self._classes, one.classes, strict=True))
        return {"answer": one.answer, "probability": one.score, "classes": classes}

    def error(self, id: str, refusal: Refusal) -> bytes:
        """See `Dialect.error`."""
        code = "BAD_REQUEST" if refusal.status < 500 else "INTERNAL_ERROR"
        said = {"error_code": code, "message": sentence(refusal), "error": detail(refusal)}
        return self._encode({"id": id, **said})

    def _json(self, body: bytes) -> Rows | Refusal:
        try:
            data = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            data = read_json(body)
            if isinstance(data, Refusal):
                return data
            return Refusal(MALFORMED, "body", "NaN, Infinity or a lone surrogate", "plain JSON")
        if not isinstance(data, dict):
            return Refusal(AGAINST_CONTRACT, "body", "not an object", _ONE_OF)
        given = [form for form in FORMS if form in data]
        others = sorted(data.keys() - {*FORMS, "params"})
        if len(given) != 1 or others or data.get("params"):
            what = f"holds {', '.join(sorted(data))[:100] or 'nothing'}"
            return Refusal(AGAINST_CONTRACT, "body", what, f"{_ONE_OF}; params are not used")
        return _FORMS[given[0]](given[0], data[given[0]])

    def _csv(self, body: bytes) -> Rows | Refusal:
        try:
            lines = list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            return Refusal(MALFORMED, "body", f"not CSV: {error}"[:200], "CSV in UTF-8")
        lines = [line for line in lines if line]
        if not lines:
            return []
        header, *rows = lines
        ragged = next((n for n, row in enumerate(rows) if len(row) != len(header)), None)
        if ragged is not None or len(set(header)) != len(header):
            where = "header" if ragged is None else f"row {ragged}"
            return Refusal(MALFORMED, where, "its columns do not fit", "one value a column")
        return [
            {name: self._value(name, text) for name, text in zip(header, row, strict=True)}
            for row in rows
        ]

    def _value(self, name: str, text: str) -> str | float | None:
        """What a cell holds: empty is missing; what is no number stays a text."""
        if not text:
            return None
        if name in self._texts:
            return text
        try:
            number = float(text)
        except ValueError:
            return text
        return number if isfinite(number) else text


def _split(form: str, data: Any) -> Rows | Refusal:
    known = isinstance(data, dict) and not data.keys() - {"columns", "data", "index"}
    columns, rows = (data.get("columns"), data.get("data")) if known else (None, None)
    if not isinstance(columns, list) or not _are_names(columns) or not isinstance(rows, list):
        return _wrong(form, '{"columns": ["name", …], "data": [[value, …], …]}')
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            return Refusal(
                AGAINST_CONTRACT,
                f"{form}.data[{number}]",
                "does not fit the columns",
                f"a list of {len(columns)} values",
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _records(form: str, data: Any) -> Rows | Refusal:
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        return _wrong(form, "a list of objects, one a row")
    return data


def _columns(form: str, data: Any) -> Rows | Refusal:
    if isinstance(data, list):
        return _records(form, data)
    if not isinstance(data, dict) or not all(isinstance(values, list) for values in data.values()):
        return _wrong(form, '{"column": [value, …], …}')
    if len({len(values) for values in data.values()}) > 1:
        return _wrong(form, "columns of one length")
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


def _are_names(columns: list[Any]) -> bool:
    texts = all(isinstance(name, str) for name in columns)
    return texts and len(set(columns)) == len(columns)


def _wrong(form: str, allowed: str) -> Refusal:
    return Refusal(AGAINST_CONTRACT, form, "not of this form", allowed)


_FORMS = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _records,
    "inputs": _columns,
}
