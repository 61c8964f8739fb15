"""The wire: a request body becomes a row that meets the contract, or a refusal that says why.

Two readers of one rule. The fast one is a msgspec struct built from the contract: types, ranges,
categories, unknown and missing fields are checked while the bytes are decoded. Only when it
refuses does `refusals.explain` read the body again, slowly, to name the field and what is allowed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec

from mlops_pipeline.contract.columns import Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.serving.refusals import (
    EARLIEST,
    EARLIEST_SECONDS,
    EPOCH,
    LATEST,
    LATEST_SECONDS,
    MAX_TEXT,
    Refusal,
    explain,
    explain_row,
)


@dataclass(slots=True)
class Row:
    """A request that meets the contract."""

    values: dict[str, Any]  # every request column; times are datetimes, what is missing is None
    event_time: datetime


class RequestReader:
    """Reads bodies against one contract; counts what it let pass with a warning."""

    def __init__(self, contract: ModelContract) -> None:
        self._contract = contract
        self._columns = contract.request_columns
        self._event_time = contract.event_time
        self._type = _struct(contract.name, self._columns, contract.features.unknown_category)
        self._decode: Callable[[bytes], msgspec.Struct] = msgspec.json.Decoder(self._type).decode
        self._times = tuple(c.name for c in self._columns if c.type is ColumnType.TIME)
        self._known = {
            c.name: frozenset(c.categories)
            for c in self._columns
            if c.type is ColumnType.CATEGORY and contract.features.unknown_category == "missing"
        }
        self._loose = tuple(
            (c.name, _or(c.minimum, -float("inf")), _or(c.maximum, float("inf")))
            for c in self._columns
            if _is_loose(c)
        )
        self.unknown_categories = dict.fromkeys(self._known, 0)
        self.out_of_range = dict.fromkeys((name for name, _, _ in self._loose), 0)

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that a request may carry, in the contract's order."""
        return tuple(column.name for column in self._columns)

    def read(self, body: bytes) -> Row | Refusal:
        """The row in `body`, or why it is none."""
        try:
            values = msgspec.structs.asdict(self._decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return explain(self._contract, body, str(error))
        outside = self._counted(values)
        if outside is not None:
            return explain(self._contract, body, f"{outside} is outside the range")
        return Row(values, values[self._event_time])

    def check(self, data: Mapping[str, Any]) -> Row | Refusal:
        """The row that these values are, by the same rule as `read`: for other formats than JSON.

        None is missing, as null is; times are texts or seconds.
        """
        if any(type(value) is float and not isfinite(value) for value in data.values()):
            return explain_row(self._contract, data, "a number is not finite")
        try:
            values = msgspec.structs.asdict(msgspec.convert(data, self._type))
        except (msgspec.ValidationError, RecursionError) as error:
            return explain_row(self._contract, data, str(error))
        outside = self._counted(values)
        if outside is not None:
            return explain_row(self._contract, data, f"{outside} is outside the range")
        return Row(values, values[self._event_time])

    def _counted(self, values: dict[str, Any]) -> str | None:
        """Warnings are counted and times are datetimes; the name of a time outside the range."""
        for name, known in self._known.items():
            value = values[name]
            if value is not None and value not in known:
                self.unknown_categories[name] += 1
        for name, lowest, highest in self._loose:
            value = values[name]
            if value is not None and not lowest <= value <= highest:
                self.out_of_range[name] += 1
        for name in self._times:
            value = values[name]
            if type(value) is float:
                values[name] = EPOCH + timedelta(seconds=value)
            elif value is not None and not EARLIEST <= value < LATEST:
                return name
        return None


def _struct(
    model: str, columns: Iterable[Column], unknown_category: Literal["missing", "reject"]
) -> type[msgspec.Struct]:
    """The request as a type: required where a column may not be empty, closed to other fields."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for column in columns:
        kind = _type(column, unknown_category)
        fields.append((column.name, kind | None, None) if column.nullable else (column.name, kind))
    return msgspec.defstruct(
        f"{model}_request", fields, kw_only=True, forbid_unknown_fields=True, gc=False
    )


def _type(column: Column, unknown_category: Literal["missing", "reject"]) -> Any:
    if column.type is ColumnType.CATEGORY and unknown_category == "reject":
        return Literal.__getitem__(column.categories)
    if column.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        return Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    if column.type is ColumnType.TIME:
        seconds = msgspec.Meta(ge=EARLIEST_SECONDS, lt=LATEST_SECONDS)
        return Annotated[datetime, msgspec.Meta(tz=False)] | Annotated[float, seconds]
    lowest, highest = (None, None) if _is_loose(column) else (column.minimum, column.maximum)
    # To JSON, 5 and 5.0 are one number; both are whole.
    whole = 1 if column.type is ColumnType.INTEGER else None
    return Annotated[float, msgspec.Meta(ge=lowest, le=highest, multiple_of=whole)]


def _is_loose(column: Column) -> bool:
    """Whether the range only warns: the value is used, and counted."""
    ranged = column.minimum is not None or column.maximum is not None
    return ranged and column.severity is Severity.WARN


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
