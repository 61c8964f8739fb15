"""Dialects: how a request of several rows is read and answered in somebody else's protocol.

A dialect turns bytes into rows by column name, and predictions into bytes. What the rows may hold
is the contract's business, not the dialect's: every dialect ends in the same reader, and so in the
same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlops_pipeline.serving.predictor import Prediction
from mlops_pipeline.serving.refusals import Refusal

MAX_ROWS = 1_000  # of one request; more are a job for `mlops score`
MANY_BODY = 1_048_576  # bytes; the router's limit too
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks: its rows, and what its dialect wants to remember for the answer."""

    rows: Sequence[Mapping[str, Any]]
    id: str | None = None
    outputs: tuple[str, ...] = ()  # names of the tensors that are wanted, in order
    binary: frozenset[str] = frozenset()  # those of them that are wanted as bytes


@dataclass(frozen=True, slots=True)
class Content:
    """The body of an answer, and the headers that describe it."""

    body: bytes
    kind: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())


class Dialect(Protocol):
    """One protocol for requests of several rows."""

    kinds: tuple[bytes, ...]  # content types that it reads; an empty one stands for none given

    def read(self, body: bytes, headers: Headers) -> Asked | Refusal:
        """The rows in the body, by column name; their values are not judged yet."""
        ...

    def answer(self, id: str, asked: Asked, told: Sequence[Prediction]) -> Content:
        """One prediction for each row, in their order."""
        ...

    def error(self, id: str, refusal: Refusal) -> bytes:
        """The body that says what is wrong; `refusal.allowed` is empty where the fault is ours."""
        ...


def too_many(rows: int) -> Refusal | None:
    """Why a request of so many rows is not answered, if it is not."""
    if rows < 1:
        return Refusal(422, "body", "no rows", f"1 to {MAX_ROWS} rows")
    if rows > MAX_ROWS:
        return Refusal(
            413, "body", f"{rows} rows", f"at most {MAX_ROWS} rows; score more with `mlops score`"
        )
    return None


def detail(refusal: Refusal) -> dict[str, str | None]:
    """The machine-readable part that every dialect's error carries."""
    return {
        "field": refusal.field,
        "what": refusal.what,
        "allowed": refusal.allowed or None,
    }


def sentence(refusal: Refusal) -> str:
    """The same for a person, in one line."""
    said = f"{refusal.field}: {refusal.what}"
    return f"{said}; allowed: {refusal.allowed}" if refusal.allowed else said
