"""Feature functions that break their word, one way each; `tiny.derive` keeps it."""

from collections.abc import Mapping
from typing import Any


def reads_the_outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    """The result is no input of any feature."""
    return {"hour": row["at"], "each": row["result"]}


def reduces(row: Mapping[str, Any]) -> dict[str, Any]:
    """One value for all rows."""
    return {"hour": row["at"] % 24, "each": getattr(row["amount"], "sum", lambda: 1.0)()}


def branches(row: Mapping[str, Any]) -> dict[str, Any]:
    """Not elementwise: an array is neither true nor false."""
    return {"hour": row["at"] if row["amount"] > 1 else 0, "each": row["amount"]}


def gives_more(row: Mapping[str, Any]) -> dict[str, Any]:
    """A feature that nobody declared."""
    return {"hour": row["at"], "each": row["amount"], "secret": row["amount"]}


def gives_less(row: Mapping[str, Any]) -> dict[str, Any]:
    """One declared feature is not given."""
    return {"hour": row["at"] % 24}


def divides(row: Mapping[str, Any]) -> dict[str, Any]:
    """A division by the amount, which may be 0."""
    return {"hour": row["at"] % 24, "each": 1 / row["amount"]}


def gives_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """A text where a number is declared."""
    return {"hour": row["at"] % 24, "each": row["shop"]}
