"""A real server behind a real Envoy: keys, rates, limits and TLS hold; attacks leave it healthy."""

import asyncio
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import Arms, RoutePlan
from mlops_pipeline.edge import ApiKey, Edge
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayRequest
from mlops_pipeline_tests.delivery.conftest import free_port
from mlops_pipeline_tests.serving.asgi import JSON
from mlops_pipeline_tests.serving.processes import Server, serving
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import body, probability

pytestmark = pytest.mark.slow

KEY, SLOW_KEY = "key-of-ana-0123456789", "key-of-bob-0123456789"
CONNECTIONS = 40


@dataclass(slots=True)
class Front:
    """One version behind one router, with an edge."""

    server: Server
    router: EnvoyRouter
    edge: str
    certificate: Path

    @property
    def port(self) -> int:
        return self.router.place.port

    def ask(self, client: httpx.Client | None = None, **headers: str) -> httpx.Response:
        named = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.edge}/flight_delay/predict"
        if client is not None:
            return client.post(url, content=body(), headers=named)
        context = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.post(url, content=body(), headers=named, verify=context)

    def healthy(self) -> None:
        """Both doors answer with the right number, and the server made no 5xx."""
        url = f"http://127.0.0.1:{self.port}/flight_delay/predict"
        inside = httpx.post(url, content=body(), headers=JSON)
        outside = self.ask(x_api_key=KEY)
        assert [inside.status_code, outside.status_code] == [200, 200]
        assert inside.json()["probability"] == outside.json()["probability"] == probability(-2.0)
        assert self.server.memory_mb() < 120
        metrics = self.server.client.get("http://version/metrics").text
        failed = [line for line in metrics.splitlines() if 'outcome="error"' in line]
        assert failed
        assert all(line.endswith(" 0.0") for line in failed)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    home = tmp_path_factory.mktemp("edge")
    run = Path(tempfile.mkdtemp(prefix="ms", dir="/tmp"))  # short: it holds sockets
    chain, private = home / "chain.pem", home / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(private), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    keys = (ApiKey("ana", KEY), ApiKey("bob", SLOW_KEY, 5))
    edge = Edge("127.0.0.1", free_port(), keys, 100_000, CONNECTIONS, chain, private)
    place = EnvoyPlace(
        free_port(), run / "a.sock", home / "xds", home / "access.jsonl", edge, request_seconds=2
    )
    with ExitStack() as stack:
        server = stack.enter_context(serving(home))
        router = EnvoyRouter(place, ProcessBook(home / "processes", home / "logs"))
        router.boot(RoutePlan(1, (), {}))
        stack.callback(shutil.rmtree, run)
        stack.callback(router.close)
        stack.callback(router.stop, 5)
        ends = {("flight_delay", "7"): str(server.socket)}
        router.confirm(router.apply(RoutePlan(2, (Arms("flight_delay", "7"),), ends)), timeout=3)
        found = Front(server, router, f"https://127.0.0.1:{edge.port}", chain)
        wait_for(lambda: found.ask(x_api_key=KEY).status_code == 200)
        yield found


@pytest.mark.parametrize("headers", [{"x_api_key": KEY}, {"authorization": f"Bearer {KEY}"}])
def test_a_client_with_a_key_is_answered_over_tls(front: Front, headers: dict[str, str]) -> None:
    response = front.ask(**headers)
    assert (response.status_code, response.json()["probability"]) == (200, probability(-2.0))
    assert response.headers["x-served-by"] == "flight_delay-v7"


@pytest.mark.parametrize("headers", [{}, {"x_api_key": "wrong"}, {"x_client": "ana"}])
def test_without_a_key_nobody_is_answered(front: Front, headers: dict[str, str]) -> None:
    response = front.ask(**headers)
    assert response.status_code == 401
    assert response.json()["error"]["field"] == "request"


def test_the_log_names_the_client_as_its_key_does_and_never_the_key(front: Front) -> None:
    front.ask(x_api_key=KEY, x_client="mallory", x_request_id="named")
    log = front.router.place.access_log
    wait_for(lambda: '"named"' in log.read_text())
    (line,) = [line for line in log.read_text().splitlines() if '"named"' in line]
    assert '"client":"ana"' in line
    assert KEY not in log.read_text()


def test_each_client_has_a_bucket_of_its_own(front: Front) -> None:
    context = ssl.create_default_context(cafile=str(front.certificate))
    with httpx.Client(verify=context) as client:
        slow = [front.ask(client, x_api_key=SLOW_KEY) for _ in range(20)]
        fast = [front.ask(client, x_api_key=KEY) for _ in range(20)]
    told = [response.status_code for response in slow]
    assert 5 <= told.count(200) <= 12
    assert told.count(429) == 20 - told.count(200)
    refused = next(response for response in slow if response.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert [response.status_code for response in fast] == [200] * 20


def test_metrics_are_not_for_clients(front: Front) -> None:
    context = ssl.create_default_context(cafile=str(front.certificate))
    url = f"{front.edge}/flight_delay/metrics"
    for path in (
        url,
        f"{url}?x",
        url.replace("metrics", "%6detrics"),
        url.replace("/met", "//met"),
    ):
        assert httpx.get(path, headers={"x-api-key": KEY}, verify=context).status_code == 403


def test_plain_http_is_not_spoken_at_the_edge(front: Front) -> None:
    with pytest.raises(httpx.TransportError, match=r".+"):
        httpx.get(front.edge.replace("https", "http"))


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def ended(connection: socket.socket) -> bytes:
    """What came until the other side hung up."""
    heard = b""
    while True:
        try:
            piece = connection.recv(65_536)
        except ConnectionResetError:
            return heard
        if not piece:
            return heard
        heard += piece


def test_a_slowloris_is_hung_up_on_while_others_are_answered(front: Front) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(opened(front.port)) for _ in range(300)]
        for connection in slow:
            connection.sendall(b"POST /flight_delay/predict HTTP/1.1\r\nhost: x\r\nx-a: ")
        front.healthy()
        started = time.monotonic()
        assert all(ended(connection).startswith((b"HTTP/1.1 408", b"")) for connection in slow)
        assert time.monotonic() - started < 8
    front.healthy()


@pytest.mark.parametrize("sent", [b"", b'{"distance": 1'])
def test_a_body_that_never_starts_or_never_ends_is_bounded(front: Front, sent: bytes) -> None:
    with opened(front.port) as connection:
        head = b"POST /flight_delay/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n"
        connection.sendall(head + b"content-type: application/json\r\n\r\n" + sent)
        started = time.monotonic()
        assert ended(connection).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 5
    front.healthy()


def test_a_body_of_a_gigabyte_is_refused_after_its_first_megabytes(front: Front) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with opened(front.port) as connection:
        connection.sendall(
            b"POST /flight_delay/predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
            b"content-type: application/json\r\n\r\n"
        )
        try:
            while sent < 2**30:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:  # it hung up
            pass
        heard = ended(connection)
    assert sent < 64 * 2**20
    assert heard.startswith(b"HTTP/1.1 413") or heard == b""  # a reset may swallow the answer
    front.healthy()


def test_connections_beyond_the_limit_are_closed_and_the_rest_served(front: Front) -> None:
    context = ssl.create_default_context(cafile=str(front.certificate))
    port = int(front.edge.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            raw = stack.enter_context(opened(port))
            stack.enter_context(context.wrap_socket(raw, server_hostname="127.0.0.1"))
        with pytest.raises(httpx.TransportError, match=r".+"):
            front.ask(x_api_key=KEY)

    def answered() -> bool:
        try:
            return front.ask(x_api_key=KEY).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(answered)
    front.healthy()


def test_a_flood_of_one_client_leaves_the_others_their_answers(front: Front) -> None:
    flood = BackgroundReplay(
        f"http://127.0.0.1:{front.port}/flight_delay/predict",
        (ReplayRequest(f"f{n}", f"u{n}", body()) for n in range(10**9)),
        concurrency=64,
    )
    with flood:
        wait_for(lambda: flood.progress.answered > 1_000)
        for _ in range(20):
            assert front.ask(x_api_key=KEY).status_code == 200
    report = flood.stop()
    assert report.failed <= 64  # those on the way when the flood was stopped
    front.healthy()


def test_ten_thousand_fuzzed_requests_leave_it_healthy(front: Front) -> None:
    chance = random.Random(7)
    heads = [
        b"POST /flight_delay/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n",
        b"POST /flight_delay/invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\n",
        b"POST /v2/models/flight_delay/infer HTTP/1.1\r\nhost: x\r\n"
        b"inference-header-content-length: 20\r\n",
        b"GET /flight_delay/healthz HTTP/1.1\r\nhost: x\r\n",
    ]

    def mutated() -> bytes:
        content = bytearray(body())
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(content))
            content[place : place + chance.randrange(9)] = chance.randbytes(chance.randrange(9))
        head = chance.choice(heads) + b"content-length: %d\r\n\r\n" % len(content)
        request = bytearray(head + content)
        if chance.random() < 0.5:  # the head is hurt, too
            for _ in range(chance.randrange(1, 4)):
                request[chance.randrange(len(head))] = chance.randrange(256)
        return bytes(request)

    statuses: dict[bytes, int] = {}

    async def attack(count: int) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            try:
                writer.write(mutated())
                async with asyncio.timeout(0.2):  # a hurt length leaves both sides waiting
                    status = (await reader.read(12))[9:12]
            except (ConnectionError, TimeoutError):
                status = b"none"
            statuses[status] = statuses.get(status, 0) + 1
            writer.close()

    async def attack_all() -> None:
        await asyncio.gather(*(attack(200) for _ in range(50)))

    asyncio.run(attack_all())
    assert sum(statuses.values()) == 10_000
    assert not [status for status in statuses if status.startswith(b"5")], statuses
    assert statuses[b"200"] > 100
    assert statuses[b"422"] > 100
    front.healthy()
