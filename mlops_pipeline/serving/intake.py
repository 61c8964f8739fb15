"""Intake: what is checked of a request before its row is looked at, and how its body arrives."""

import asyncio
import os
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
            call.id = os.urandom(16).hex()
            return Refusal(MALFORMED, "x-request-id", "not a usable id", allowed)
        call.id = given.decode()
    unit = headers.get(b"x-unit")
    if unit is not None:
        if not _NAME.fullmatch(unit):
            return Refusal(MALFORMED, "x-unit", "not a usable unit", allowed)
        call.unit = unit.decode()
    return None


def usable(name: str) -> str | None:
    """The name, if a prediction may bear it."""
    return name if name.isascii() and _NAME.fullmatch(name.encode()) else None


def unreadable(
    scope: Scope,
    headers: Mapping[bytes, bytes],
    kinds: tuple[bytes, ...] = (JSON,),
    limit: int = MAX_BODY,
) -> Refusal | None:
    """Why the body is not even read."""
    if scope["method"] != "POST":
        return Refusal(405, "method", f"{scope['method']} is not served here", "POST")
    kind = headers.get(b"content-type", b"")
    if kind not in kinds and kind.partition(b";")[0].strip().lower() not in kinds:
        shown = kind[:60].decode("latin-1")
        allowed = " or ".join(each.decode() for each in kinds if each)
        return Refusal(WRONG_TYPE, "content-type", shown or "missing", allowed)
    if headers.get(b"content-encoding", b"identity") != b"identity":
        shown = headers[b"content-encoding"][:60].decode("latin-1")
        return Refusal(WRONG_TYPE, "content-encoding", shown, "a body that is not compressed")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 9 or int(length) > limit:
        return _too_large(limit)
    return None


def fitting(body: bytes, limit: int = MAX_BODY) -> Refusal | None:
    """Why a whole body is too long, if it is."""
    return _too_large(limit) if len(body) > limit else None


async def read_body(receive: Receive, limit: int = MAX_BODY) -> bytes | Refusal | None:
    """The whole body; a refusal when it is too long or too slow; None when the client left."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        try:
            async with asyncio.timeout(BODY_SECONDS):
                rest = await _read_rest(receive, body, limit)
        except TimeoutError:
            return Refusal(
                TIMED_OUT, "body", "came too slowly", f"all of it in {BODY_SECONDS:g} seconds"
            )
        return rest
    return _too_large(limit) if len(body) > limit else body


async def _read_rest(receive: Receive, body: bytes, limit: int) -> bytes | Refusal | None:
    pieces, length, more = [body], len(body), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        length += len(pieces[-1])
        if length > limit:
            return _too_large(limit)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _too_large(limit: int) -> Refusal:
    return Refusal(TOO_LARGE, "body", "too long", f"at most {limit} bytes")
