"""A server whose every answer is written down beforehand, on a loopback port, in a thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[str], bytes | None]  # from the request's id to raw bytes; None hangs up
SILENT = b""  # nothing is ever answered


def answer(status: int, *, version: str = "1", more: str = "") -> bytes:
    """One whole HTTP answer."""
    return (
        f"HTTP/1.1 {status} Told\r\ncontent-length: 2\r\nx-served-by: {version}\r\n{more}\r\n{{}}"
    ).encode()


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    """The URL of a server that answers by the script."""
    started: threading.Event = threading.Event()
    loop = asyncio.new_event_loop()
    ports: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = dict(
                    line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line
                )
                await reader.readexactly(int(lines["content-length"]))
                said = script(lines["x-request-id"])
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run(stopped: asyncio.Event) -> None:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            started.set()
            await stopped.wait()

    stopped = asyncio.Event()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run(stopped))

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}/model/predict"
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
