"""One request becomes one feature vector, bit for bit the row that training would have seen.

No pandas here: a server imports this module.
"""

from array import array
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

from mlops_pipeline.contract.columns import Column, ColumnType, HistoryFeature
from mlops_pipeline.contract.load import load_callable
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError, RequestError
from mlops_pipeline.features.declared import Value, categories_of, function_inputs, key_text
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - event times are local and carry no zone
MISSING = float("nan")

Reader = Callable[[object], Value]

# What a reader would give back unchanged: a request's values are mostly of these types.
_AS_IT_IS = {ColumnType.NUMBER: float, ColumnType.CATEGORY: str, ColumnType.TEXT: str}
_key_text = lru_cache(maxsize=16_384)(key_text)  # the same keys are asked for again and again


class RowFeatures:
    """The features of single rows, for one contract. Holds no state: any thread may share it."""

    def __init__(self, contract: ModelContract) -> None:
        self.contract = contract
        self.definition = definition_digest(contract)
        self._readers = [
            (c.name, _reader(c), _AS_IT_IS.get(c.type)) for c in contract.request_columns
        ]
        self._derive = load_callable(contract.features.function)
        self._inputs = function_inputs(contract)
        self._declared = frozenset(feature.name for feature in contract.derived)
        self._strict = contract.features.unknown_category == "reject"
        self._codes = {
            feature.name: {text: float(code) for code, text in enumerate(categories)}
            for feature in contract.derived
            if (categories := categories_of(contract, feature.name))
        }
        self._steps = [
            (f, f.name, f.keys if isinstance(f, HistoryFeature) else None, f.name in self._codes)
            for f in contract.features.columns
        ]

    def vector(self, request: Mapping[str, object], snapshot: FeatureSnapshot) -> "array[float]":
        """The features of one request, in the contract's order; NaN is missing.

        A value is a number, a text, None for missing, or for a time ISO text or seconds since
        1970-01-01; both are local time. Names that the contract does not know are ignored.

        Raises:
            RequestError: a value is missing or of the wrong kind; the message names the field.
            FeatureError: the snapshot is of another definition, or the function broke its word.
        """
        if snapshot.definition != self.definition:
            raise FeatureError(
                f"feature snapshot of {snapshot.as_of} has definition "
                f"{snapshot.definition[:12]}…, this model needs {self.definition[:12]}…"
            )
        row: dict[str, Value] = {}
        for name, read, kind in self._readers:
            value = request.get(name)
            row[name] = value if type(value) is kind and value == value else read(value)  # type: ignore[assignment]
        row.update(self._derived(row))
        vector = []
        for feature, name, keys, coded in self._steps:
            if keys is not None:
                vector.append(_look_up(name, keys, row, snapshot))
            elif not coded and type(number := row.get(name)) is float and number == number:
                vector.append(number)
            else:
                vector.append(self._coded(feature.name, row))
        return array("d", vector)

    def _derived(self, row: Mapping[str, Value]) -> Mapping[str, Value]:
        reference = self.contract.features.function
        given = {name: row[name] for name in self._inputs}
        try:
            derived: Mapping[str, Value] = self._derive(given)
        except KeyError as error:
            raise FeatureError(f"{reference} read {error}, which no feature declares") from error
        except ArithmeticError as error:
            raise FeatureError(f"{reference}: {error} on {given}") from error
        if not derived.keys() <= self._declared:
            extra = ", ".join(sorted(derived.keys() - self._declared))
            raise FeatureError(f"{reference} gave {extra}, which no feature declares")
        return derived

    def _coded(self, name: str, row: Mapping[str, Value]) -> float:
        if name not in row:
            raise FeatureError(f"feature {name}: neither a column nor given by the function")
        value = row[name]
        codes = self._codes.get(name)
        if codes is None:
            number = float(value)  # type: ignore[arg-type]
            return number if number == number else MISSING  # one NaN, as in the matrix
        code = MISSING if value is None else codes.get(str(value), MISSING)
        if self._strict and code != code and value is not None:
            raise RequestError(f"{name}: {value!r} is not one of {', '.join(codes)}")
        return code


def _look_up(
    feature: str, keys: tuple[str, ...], row: Mapping[str, Value], snapshot: FeatureSnapshot
) -> float:
    key = _key_text(tuple([row[name] for name in keys]))
    table = snapshot.tables.get(feature)
    rate = None if key is None or table is None else table.get(key)
    return snapshot.defaults.get(feature, MISSING) if rate is None else rate


def _reader(column: Column) -> Reader:
    """The function that turns a request's value into the column's value, or refuses it."""
    kinds: dict[ColumnType, Reader] = {
        ColumnType.NUMBER: _number,
        ColumnType.INTEGER: _integer,
        ColumnType.TIME: _seconds,
        ColumnType.CATEGORY: _text,
        ColumnType.TEXT: _text,
    }
    convert = kinds[column.type]
    empty = None if convert is _text else MISSING

    def read(value: object) -> Value:
        if value is None or value != value:
            if column.nullable:
                return empty
            raise RequestError(f"{column.name}: missing; it must have a value")
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise RequestError(f"{column.name}: {error}") from None

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _integer(value: object) -> float:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(f"{value!r} is not a whole number")
    return number


def _seconds(value: object) -> float:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return _number(value)
    if value.tzinfo is not None:
        raise ValueError(f"{value.isoformat()} names a time zone; give the local time without one")
    return (value - EPOCH).total_seconds()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
