"""Both ways through the server give the same answers, whatever the pieces in which they came."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_pipeline.serving.request_log import read_records
from mlops_pipeline_tests.serving.processes import Server, serving
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import body

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("straight")) as found:
        yield found


def request(name: str, content: bytes, *more: str, path: str = "/predict") -> bytes:
    lines = [
        *(f"POST {path} HTTP/1.1", "host: v", "content-type: application/json"),
        *(f"x-request-id: {name}", f"content-length: {len(content)}", *more),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def answers(
    server: Server, pieces: list[bytes], count: int
) -> list[tuple[int, dict[str, str], str]]:
    """Status, headers and content of so many answers on one connection."""
    found, heard = [], b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(server.socket))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        for piece in pieces:
            try:
                connection.sendall(piece)
            except BrokenPipeError:  # refused by its length alone
                break
            before = server.client.get("/livez")  # the piece was read: the loop has gone round
            assert before.is_success
        while len(found) < count:
            heard += connection.recv(65_536)
            while found_one := re.match(rb"HTTP/1.1 (\d+) .*?\r\n(.*?)\r\n\r\n", heard, re.DOTALL):
                lines = dict(line.split(": ", 1) for line in found_one[2].decode().split("\r\n"))
                end = found_one.end() + int(lines["content-length"])
                if len(heard) < end:
                    break
                content = heard[found_one.end() : end].decode()
                found.append((int(found_one[1]), lines, content))
                heard = heard[end:]
    return found


@pytest.mark.parametrize("content", [body(), body(distance=-1), b"{", b"", b" " * 65_537], ids=len)
def test_whole_and_in_pieces_the_answer_is_the_same(server: Server, content: bytes) -> None:
    whole = request("a", content)
    middle = len(whole) - len(content) // 2
    (at_once,) = answers(server, [whole], 1)
    for pieces in ([whole[:30], whole[30:]], [whole[:middle], whole[middle:]]):
        assert answers(server, pieces, 1) == [at_once]


def test_requests_that_came_at_once_are_answered_in_order(server: Server) -> None:
    mixed = [
        request("one", body()),
        request("two", body(), path="/invocations"),
        request("three", body(distance=-1)),
        request("four", body()),
    ]
    told = answers(server, [b"".join(mixed)], 4)
    assert [lines["x-request-id"] for _, lines, _ in told] == ["one", "two", "three", "four"]
    assert [status for status, _, _ in told] == [200, 422, 422, 200]


def test_a_client_that_asks_to_close_is_heard(server: Server) -> None:
    (told,) = answers(server, [request("a", body(), "connection: close")], 1)
    assert (told[0], told[1]["connection"]) == (200, "close")


def test_each_leaves_one_record(server: Server) -> None:
    answers(server, [request("mine", body())], 1)
    folder = server.stderr.parent / Path("log")
    wait_for(lambda: [r.id for r in read_records(folder)].count("mine") == 1)
