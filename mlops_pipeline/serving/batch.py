"""Batch scoring: whole columns through the version, with exactly the numbers that are served.

A row that a server would refuse has no answer, and the same words in `error`. Rows are judged
column by column; only those that fail are read once more, one by one, for the words.

Never imported by a server: pandas and pyarrow live here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_pipeline.contract.columns import Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ServingError
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.features.served import features_as_served
from mlops_pipeline.registry.answers import columns_of, score_limits, score_name
from mlops_pipeline.registry.bundle import Bundle
from mlops_pipeline.serving.dialects import sentence
from mlops_pipeline.serving.predictor import too_old
from mlops_pipeline.serving.refusals import (
    EARLIEST,
    EARLIEST_SECONDS,
    LATEST,
    LATEST_SECONDS,
    MAX_TEXT,
    Refusal,
)
from mlops_pipeline.serving.scorers import Scorer
from mlops_pipeline.serving.wire import RequestReader

ABOUT = ("error", "model_version", "features_as_of")  # beside the fields of an answer
_NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER)


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """One version with one snapshot of look-ups, for tables of any number of rows."""

    bundle: Bundle
    version: str
    scorer: Scorer
    snapshot: FeatureSnapshot

    @property
    def contract(self) -> ModelContract:
        """The contract stored with the version."""
        return self.bundle.contract

    @property
    def told(self) -> tuple[str, ...]:
        """The columns that scoring adds."""
        return (*self.contract.kind.answer, *ABOUT)

    def check(self, schema: pa.Schema) -> None:
        """A table of that schema can be scored.

        Raises:
            ServingError: a column is missing, of another type, or has a name that the answer needs.
        """
        names = set(schema.names)
        clash = names.intersection(self.told)
        if clash:
            raise ServingError(f"the input has the answer's columns {', '.join(sorted(clash))}")
        for column in self.contract.request_columns:
            if column.name not in names:
                if not column.nullable:
                    raise ServingError(
                        f"the input lacks {column.name}; it has {', '.join(schema.names)}"
                    )
            elif not _fits(column, schema.field(column.name).type):
                found = schema.field(column.name).type
                raise ServingError(f"column {column.name} is {found}, not {_wanted(column)}")

    def score(self, table: pa.Table) -> pa.Table:
        """The table with the answer's columns added, row by row.

        Raises:
            FeatureError, ServingError: the version cannot answer these rows; the fault is ours.
        """
        frame = frame_of(self.contract, table)
        errors = self._refused(frame)
        good = np.array([error is None for error in errors], dtype=bool)
        classes = self.contract.classes
        shape = (len(frame), len(classes)) if classes else len(frame)
        scores = np.full(shape, np.nan)
        if good.any():
            kept = frame[good] if not good.all() else frame
            matrix = features_as_served(self.contract, kept, self.snapshot)
            scores[good] = self.scorer.score_matrix(matrix.values)
        least, most = score_limits(self.contract)
        fit = (scores >= least) & (scores <= most)
        bad = good & ~(fit.all(axis=1) if classes else fit)
        if bad.any():
            what = score_name(self.contract)
            raise ServingError(f"the model gave {scores[bad][0]}, which is no {what}")
        answers = columns_of(self.contract, scores, self.bundle.manifest.threshold)
        told = {
            **{name: self._told(column, ~good) for name, column in answers.items()},
            "error": pa.array(errors, type=pa.string()),
            "model_version": pa.repeat(pa.scalar(self.version), len(frame)),
            "features_as_of": pa.repeat(self._as_of(), len(frame)),
        }
        for name, column in told.items():
            table = table.append_column(name, column)
        return table

    def _told(self, column: np.ndarray, missing: np.ndarray) -> pa.Array:
        """A field of the answers; numbers of classes are a struct with a field a class."""
        if column.ndim == 1:
            kind = pa.string() if column.dtype == object else None
            return pa.array(column, type=kind, mask=missing)
        fields = [pa.array(own) for own in np.ascontiguousarray(column.T)]
        names = list(self.contract.classes)
        return pa.StructArray.from_arrays(fields, names, mask=pa.array(missing))

    def _as_of(self) -> pa.Scalar:
        as_of = self.snapshot.as_of if self.contract.history else None
        return pa.scalar(as_of, type=pa.date32())

    def _refused(self, frame: pd.DataFrame) -> list[str | None]:
        """What is wrong with each row, in the words of a server."""
        errors: list[str | None] = [None] * len(frame)
        wrong = np.zeros(len(frame), dtype=bool)
        for column in self.contract.request_columns:
            closed = self.contract.features.unknown_category == "reject"
            wrong |= _wrong(column, frame[column.name], closed)
        reader = RequestReader(self.contract)
        for place in np.flatnonzero(wrong):
            row = _row(self.contract, frame, int(place))
            found = reader.check(row)
            if not isinstance(found, Refusal):
                raise ServingError(f"row {place}: {row} is judged in two ways; this is a defect")
            errors[place] = sentence(found)
        if self.contract.history:
            self._add_too_old(frame, wrong, errors)
        return errors

    def _add_too_old(
        self, frame: pd.DataFrame, wrong: np.ndarray, errors: list[str | None]
    ) -> None:
        days = frame[self.contract.event_time].to_numpy().astype("datetime64[D]")
        ages = (days - np.datetime64(self.snapshot.as_of)).astype(np.int64)
        for place in np.flatnonzero(~wrong & (ages > self.contract.features.max_age_days)):
            errors[place] = sentence(too_old(self.contract, self.snapshot.as_of, int(ages[place])))


def frame_of(contract: ModelContract, table: pa.Table) -> pd.DataFrame:
    """The request's columns as numbers (float64), texts (object) and times (datetime64[us])."""
    columns: dict[str, Any] = {}
    for column in contract.request_columns:
        if column.name not in table.column_names:
            missing: Any = np.nan if column.type in _NUMBERS else None
            columns[column.name] = np.full(table.num_rows, missing)
            if column.type is ColumnType.TIME:
                columns[column.name] = np.full(table.num_rows, "NaT", dtype="datetime64[us]")
            continue
        values = table.column(column.name)
        if column.type in _NUMBERS:
            columns[column.name] = values.cast(pa.float64()).to_numpy()
        elif column.type is ColumnType.TIME:
            columns[column.name] = _times(values)
        else:
            columns[column.name] = _texts(values)
    return pd.DataFrame(columns)


def _texts(values: pa.ChunkedArray) -> np.ndarray:
    """Objects, one for each distinct text: one a row takes three times as long to make and hash."""
    encoded = values.unify_dictionaries().combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    distinct = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    found: np.ndarray = distinct[encoded.indices.fill_null(len(distinct) - 1).to_numpy()]
    return found


def _times(values: pa.ChunkedArray) -> np.ndarray:
    """Moments in microseconds; seconds are rounded as a server rounds them."""
    if pa.types.is_timestamp(values.type):
        moments: np.ndarray = values.cast(pa.timestamp("us"), safe=False).to_numpy()
        return moments
    seconds = values.cast(pa.float64()).to_numpy()
    inside = (seconds >= EARLIEST_SECONDS) & (seconds < LATEST_SECONDS)
    rest, whole = np.modf(np.where(inside, seconds, 0.0))
    micros = whole.astype(np.int64) * 1_000_000 + np.rint(rest * 1e6).astype(np.int64)
    found = micros.astype("datetime64[us]")
    # Outside the range, or no number: one moment that every contract refuses.
    return np.where(
        np.isnan(seconds),
        np.datetime64("NaT"),
        np.where(inside, found, np.datetime64(LATEST, "us")),
    ).astype("datetime64[us]")


def _wrong(column: Column, values: pd.Series, closed: bool) -> np.ndarray:
    """Which rows break the column's promise."""
    missing = values.isna().to_numpy()
    wrong = missing & (not column.nullable)
    found = values.to_numpy()
    if column.type is ColumnType.TIME:
        early, late = np.datetime64(EARLIEST, "us"), np.datetime64(LATEST, "us")
        return wrong | (~missing & ~((found >= early) & (found < late)))
    if column.type in _NUMBERS:
        wrong |= np.isinf(found)
        if column.type is ColumnType.INTEGER:
            wrong |= ~missing & (found != np.floor(found))
        if column.severity is Severity.ERROR:
            if column.minimum is not None:
                wrong |= found < column.minimum
            if column.maximum is not None:
                wrong |= found > column.maximum
        return wrong
    codes, distinct = pd.factorize(found)
    known = frozenset(column.categories)
    refused = [
        len(text) > MAX_TEXT
        or (closed and column.type is ColumnType.CATEGORY and text not in known)
        for text in distinct.tolist()
    ]
    judged = np.array([*refused, False], dtype=bool)  # a missing text is -1: the last one
    return np.asarray(wrong | judged[codes], dtype=bool)


def _row(contract: ModelContract, frame: pd.DataFrame, place: int) -> Mapping[str, Any]:
    """One row in the values that a request would carry."""
    row: dict[str, Any] = {}
    for column in contract.request_columns:
        value = frame[column.name].iloc[place]
        if pd.isna(value):
            row[column.name] = None
        elif column.type is ColumnType.TIME:
            row[column.name] = value.to_pydatetime().isoformat()
        else:
            row[column.name] = value if isinstance(value, str) else float(value)
    return row


def _fits(column: Column, kind: pa.DataType) -> bool:
    if column.type in _NUMBERS:
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if column.type is ColumnType.TIME:
        local = pa.types.is_timestamp(kind) and kind.tz is None
        return bool(local or pa.types.is_integer(kind) or pa.types.is_floating(kind))
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _wanted(column: Column) -> str:
    if column.type in _NUMBERS:
        return "a number"
    if column.type is ColumnType.TIME:
        return "a timestamp without a zone, or seconds since 1970"
    return "a text"
