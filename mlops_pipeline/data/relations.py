"""Row relations of the contract, evaluated on whole columns."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Column, ColumnType, Relation
from mlops_pipeline.contract.expressions import parse_expression
from mlops_pipeline.data.inspected import Inspected

Values = Any  # an array of shape (rows,), or one number or text for all rows

BINARY: dict[type[ast.operator], Callable[[Values, Values], Values]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
}
COMPARED: dict[type[ast.cmpop], Callable[[Values, Values], Values]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """Rows that were judged, and those that break the relation, each of shape (rows,)."""

    judged: np.ndarray
    broken: np.ndarray


def broken_rows(seen: Inspected, relation: Relation) -> Broken:
    """Which rows break the relation; those are judged in which every needed column has a value.

    The columns must be there, in types that can be judged.
    """
    parsed = parse_expression(relation.holds)
    needed = seen.frame[list(parsed.needed)]
    judged = np.asarray(needed.notna().to_numpy().all(axis=1))
    values = {name: _array(seen.contract.column(name), seen.frame[name]) for name in parsed.columns}
    with np.errstate(all="ignore"):  # rows without values are not judged
        truth = np.asarray(_evaluated(parsed.body, values), dtype=bool)
    return Broken(judged, judged & ~np.broadcast_to(truth, judged.shape))


def _array(column: Column, values: "pd.Series[Any]") -> np.ndarray:
    if column.type is ColumnType.TIME:
        return values.to_numpy(dtype="datetime64[s]")
    if column.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        return values.to_numpy(dtype=object)
    return values.to_numpy(dtype=np.float64)


def _evaluated(node: ast.expr, values: Mapping[str, np.ndarray]) -> Values:
    match node:
        case ast.Name():
            return values[node.id]
        case ast.Constant():
            return node.value
        case ast.UnaryOp():
            inner = _evaluated(node.operand, values)
            return np.logical_not(inner) if isinstance(node.op, ast.Not) else -inner
        case ast.BinOp():
            left, right = _evaluated(node.left, values), _evaluated(node.right, values)
            return BINARY[type(node.op)](_seconds(left), _seconds(right))
        case ast.BoolOp():
            parts = [np.asarray(_evaluated(part, values), bool) for part in node.values]
            joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return joined.reduce(np.broadcast_arrays(*parts))
        case ast.Compare():
            return _compared(node, values)
        case ast.Call(func=ast.Name(id=name)):
            return _called(name, _evaluated(node.args[0], values))
    raise AssertionError(f"{ast.dump(node)} was parsed as a relation")


def _compared(node: ast.Compare, values: Mapping[str, np.ndarray]) -> Values:
    sides = [_evaluated(side, values) for side in (node.left, *node.comparators)]
    truths = [
        np.asarray(COMPARED[type(op)](left, right), bool)
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
    ]
    return np.logical_and.reduce(np.broadcast_arrays(*truths))


def _called(name: str, value: Values) -> Values:
    if name == "abs":
        return np.abs(value)
    if name == "empty":
        return pd.isna(value)
    return minutes(value)


def minutes(value: Values) -> Values:
    """The minute of the day: of a time, or of a number that reads as HHMM."""
    array = np.asarray(value)
    if array.dtype.kind == "M":
        day = array.astype("datetime64[D]").astype("datetime64[s]")
        return (array - day).astype(np.int64) // 60
    return np.floor_divide(value, 100) * 60 + np.mod(value, 100)


def _seconds(value: Values) -> Values:
    """Times in arithmetic are seconds since 1970."""
    array = np.asarray(value)
    return array.astype(np.int64) if array.dtype.kind == "M" else value
