"""A lean HTTP/1.1 client: one keep-alive connection, one request at a time, failures as values."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

from mlops_pipeline.errors import ServingError


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and what they all carry."""

    host: str
    port: int
    path: str
    uds: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """The part of the request's head that never changes."""
        given = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return (
            f"POST {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n"
            f"content-type: application/json\r\n{given}"
        ).encode("latin-1")


@dataclass(slots=True)
class Reply:
    """What came back: a status, or the kind of failure that came instead."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    seconds: float = 0.0
    failure: str | None = None  # connect, timeout, reset, malformed


class Connection:
    """Opens when it is first used, and again after it was closed."""

    def __init__(self, target: Target, timeout: float) -> None:
        self._target = target
        self._head = target.head()
        self._timeout = timeout
        self._wire: _Wire | None = None

    async def ask(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """The answer to one POST, or how it failed. Nothing is sent twice."""
        started = time.perf_counter()
        reply = Reply()
        try:
            async with asyncio.timeout(self._timeout):
                wire = await self._open(reply)
                if wire is not None:
                    given = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                    head = f"{given}content-length: {len(body)}\r\n\r\n".encode("latin-1")
                    reply = await wire.exchange(self._head + head + body)
        except TimeoutError:
            reply.failure = "timeout"
        reply.seconds = time.perf_counter() - started
        if reply.failure is not None:
            self.close()
        return reply

    def close(self) -> None:
        """The connection is closed."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _open(self, reply: Reply) -> "_Wire | None":
        if self._wire is not None and self._wire.usable:
            return self._wire
        self.close()
        loop = asyncio.get_running_loop()
        try:
            if self._target.uds is not None:
                _, self._wire = await loop.create_unix_connection(_Wire, self._target.uds)
            else:
                _, self._wire = await loop.create_connection(
                    _Wire, self._target.host, self._target.port
                )
        except OSError:
            reply.failure = "connect"
        return self._wire


class _Wire(asyncio.Protocol):
    """One open connection; the parser calls back `on_…`."""

    def __init__(self) -> None:
        self.usable = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._reply = Reply()
        self._parser = httptools.HttpResponseParser(self)

    async def exchange(self, request: bytes) -> Reply:
        assert self._transport is not None
        self._reply = Reply()
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, UnicodeDecodeError):
            self._end("malformed")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset")

    def eof_received(self) -> None:
        self.usable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reply.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._reply.body += body

    def on_message_complete(self) -> None:
        self._reply.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.usable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._reply)

    def _end(self, failure: str) -> None:
        self.usable = False
        if self._waiting is not None and not self._waiting.done():
            self._reply.failure = failure
            self._waiting.set_result(self._reply)


def target_of(url: str, uds: str | None, headers: Mapping[str, str]) -> Target:
    """The target that a URL names, or the unix socket in its place.

    Raises:
        ServingError: the URL is unusable.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ServingError(f"{url!r} is no http URL such as http://127.0.0.1:8080/model/predict")
    try:
        port = parts.port or 80
    except ValueError as error:
        raise ServingError(f"{url!r}: {error}") from error
    return Target(
        host=parts.hostname, port=port, path=parts.path or "/", uds=uds, headers=dict(headers)
    )
