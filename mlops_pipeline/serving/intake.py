"""Intake: what is checked of a request before its row is looked at, and how its body arrives."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from mlops_pipeline.serving.records import Call
from mlops_pipeline.serving.refusals import (
    MALFORMED,
    TIMED_OUT,
    TOO_LARGE,
    WRONG_TYPE,
    Refusal,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 65_536  # bytes; one row of the widest model is a few kilobytes
BODY_SECONDS = 10.0  # for a body that comes in pieces
JSON = b"application/json"
_NAME = re.compile(rb"[\x21-\x7e]{1,128}")  # ids and units: printable, without spaces


def named(call: Call, headers: Mapping[bytes, bytes]) -> Refusal | None:
    """The call bears the client's id and unit, where it names usable ones."""
    allowed = "1 to 128 printable ASCII characters without spaces"
    given = headers.get(b"x-request-id")
    if given is not None:
        if not _NAME.fullmatch(given):
            return Refusal(MALFORMED, "x-request-id", "not a usable id", allowed)
        call.id = given.decode()
    unit = headers.get(b"x-unit")
    if unit is not None:
        if not _NAME.fullmatch(unit):
            return Refusal(MALFORMED, "x-unit", "not a usable unit", allowed)
        call.unit = unit.decode()
    return None


def unreadable(scope: Scope, headers: Mapping[bytes, bytes]) -> Refusal | None:
    """Why the body is not even read."""
    if scope["method"] != "POST":
        return Refusal(405, "method", f"{scope['method']} is not served here", "POST")
    kind = headers.get(b"content-type", b"")
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        shown = kind[:60].decode("latin-1")
        return Refusal(WRONG_TYPE, "content-type", shown or "missing", JSON.decode())
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 9 or int(length) > MAX_BODY:
        return _too_large()
    return None


async def read_body(receive: Receive) -> bytes | Refusal | None:
    """The whole body; a refusal when it is too long or too slow; None when the client left."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        try:
            async with asyncio.timeout(BODY_SECONDS):
                rest = await _read_rest(receive, body)
        except TimeoutError:
            return Refusal(
                TIMED_OUT, "body", "came too slowly", f"all of it in {BODY_SECONDS:g} seconds"
            )
        return rest
    return _too_large() if len(body) > MAX_BODY else body


async def _read_rest(receive: Receive, body: bytes) -> bytes | Refusal | None:
    pieces, length, more = [body], len(body), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        length += len(pieces[-1])
        if length > MAX_BODY:
            return _too_large()
        more = message.get("more_body", False)
    return b"".join(pieces)


def _too_large() -> Refusal:
    return Refusal(TOO_LARGE, "body", "too long", f"at most {MAX_BODY} bytes")
