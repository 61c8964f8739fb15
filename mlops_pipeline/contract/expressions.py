"""The language of row relations: comparisons of columns and numbers, parsed and never executed.

    arr_delay - dep_delay >= -120 and not (origin == dest)

Words: column names, numbers, quoted texts; `+ - * / // %`, comparisons, `and or not`, and the
functions of `FUNCTIONS`. Everything else (attributes, indices, other calls) is no relation.
"""

import ast
from dataclasses import dataclass

FUNCTIONS = {
    "abs": "distance from zero",
    "empty": "whether a value is missing",
    "minutes": "minute of the day, of a time or of a number that reads as HHMM",
}
_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Compare,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Call,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed relation. `needed` are the columns that must have a value for it to be judged."""

    text: str
    body: ast.expr
    columns: tuple[str, ...]
    needed: tuple[str, ...]


def parse_expression(text: str) -> Expression:
    """The relation that `text` writes.

    Raises:
        ValueError: it uses a word or a form that relations do not have; the message names it.
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression: {error.msg}") from None
    functions = set()
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{text!r}: {type(node).__name__} has no place in a relation")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str):
            raise ValueError(f"{text!r}: {node.value!r} is neither a number nor a text")
        if isinstance(node, ast.Call):
            _require_function(text, node)
            functions.add(id(node.func))
    if not isinstance(tree.body, ast.Compare | ast.BoolOp | ast.Call) and not (
        isinstance(tree.body, ast.UnaryOp) and isinstance(tree.body.op, ast.Not)
    ):
        raise ValueError(f"{text!r} is not true or false of a row: compare something")
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions]
    asked = {
        id(inner)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _called(call) == "empty"
        for inner in ast.walk(call)
    }
    columns = tuple(dict.fromkeys(name.id for name in names))
    needed = tuple(dict.fromkeys(name.id for name in names if id(name) not in asked))
    return Expression(text, tree.body, columns, needed)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _require_function(text: str, call: ast.Call) -> None:
    if _called(call) not in FUNCTIONS:
        raise ValueError(f"{text!r}: the functions are {', '.join(FUNCTIONS)}")
    if len(call.args) != 1 or call.keywords:
        raise ValueError(f"{text!r}: {_called(call)} takes one value")
