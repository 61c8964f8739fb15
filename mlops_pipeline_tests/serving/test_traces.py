"""One trace id from Envoy's log through the server's Parquet record to the client's answer."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.access_log import AccessLine, AccessLog
from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import Arms, RoutePlan
from mlops_pipeline.serving.log_parquet import to_parquet
from mlops_pipeline.serving.records import trace_of
from mlops_pipeline.serving.request_log import RequestRecord, log_files, read_records
from mlops_pipeline.tracing import Collector
from mlops_pipeline_tests.delivery.conftest import free_port
from mlops_pipeline_tests.serving.asgi import JSON
from mlops_pipeline_tests.serving.processes import serving
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import body

ID = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{ID}-b7ad6b7169203331-01"


@pytest.mark.parametrize("named", [SAMPLED, SAMPLED[:-2] + "00", f"cc-{SAMPLED[3:]}-later"])
def test_the_trace_is_read_from_a_traceparent(named: str) -> None:
    assert trace_of(named.encode()) == ID


@pytest.mark.parametrize(
    "named",
    [None, b"", b"garbage", SAMPLED.upper().encode(), f"00-{'0' * 32}{SAMPLED[35:]}".encode()],
)
def test_what_is_no_traceparent_names_no_trace(named: bytes | None) -> None:
    assert trace_of(named) is None


@dataclass(slots=True)
class Way:
    """A real router before a real server of one version."""

    router: EnvoyRouter
    log: Path  # the server's

    def ask(self, path: str = "predict", **headers: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.router.place.port}/flight_delay/{path}"
        return httpx.post(url, content=body(), headers=JSON | headers)

    def line(self, id: str) -> AccessLine:
        """The router's line of that request."""
        log = self.router.place.access_log
        wait_for(lambda: id in log.read_text())
        return next(line for line in AccessLog(log).read() if line.id == id)

    def record(self, id: str) -> RequestRecord:
        """The server's record of that request, as compaction makes Parquet of it."""
        wait_for(lambda: any(record.id == id for record in read_records(self.log)))
        aside = Path(tempfile.mkdtemp(dir=self.log.parent))
        for spool in log_files(self.log):
            to_parquet(Path(shutil.copy(spool, aside)))[0].with_suffix(".jsonl").unlink()
        assert {path.suffix for path in log_files(aside)} == {".parquet"}
        return next(record for record in read_records(aside) if record.id == id)


@contextmanager
def way(collector: Collector | None) -> Iterator[Way]:
    home = Path(tempfile.mkdtemp(prefix="mt", dir="/tmp"))  # short: it holds sockets
    place = EnvoyPlace(
        free_port(), home / "a.sock", home / "xds", home / "access.jsonl", collector=collector
    )
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        server = stack.enter_context(serving(home))
        router = EnvoyRouter(place, ProcessBook(home / "processes", home / "logs"))
        router.boot(RoutePlan(1, (), {}))
        stack.callback(router.close)
        stack.callback(router.stop, 5)
        ends = {("flight_delay", "7"): str(server.socket), ("gone", "1"): str(home / "no.sock")}
        plan = RoutePlan(2, (Arms("flight_delay", "7"), Arms("gone", "1")), ends)
        router.confirm(router.apply(plan), timeout=3)
        found = Way(router, home / "log")
        wait_for(lambda: found.ask().status_code == 200)
        yield found


@pytest.fixture(scope="module")
def plain() -> Iterator[Way]:
    """Without a collector."""
    with way(None) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("named", [{}, {"traceparent": SAMPLED}])
def test_router_answer_and_parquet_bear_one_trace_id(plain: Way, named: dict[str, str]) -> None:
    answer = plain.ask(**named, **{"x-request-id": f"asked-{len(named)}"})
    trace = answer.headers["x-trace-id"]
    assert trace == ID if named else len(trace) == 32
    assert plain.line(f"asked-{len(named)}").trace == trace
    assert plain.record(f"asked-{len(named)}").trace == trace


@pytest.mark.slow
def test_an_answer_that_no_server_gave_bears_a_trace_id_too(plain: Way) -> None:
    url = f"http://127.0.0.1:{plain.router.place.port}/gone/predict"
    lost = httpx.post(url, headers={"x-request-id": "lost"})
    assert lost.status_code == 503
    assert lost.headers["x-trace-id"] == plain.line("lost").trace


@pytest.mark.slow
def test_an_unreadable_traceparent_harms_nobody_and_names_no_trace(plain: Way) -> None:
    answer = plain.ask(traceparent="garbage", **{"x-request-id": "unreadable"})
    assert answer.status_code == 200
    assert "x-trace-id" not in answer.headers
    assert plain.record("unreadable").trace is None


class Spans(BaseHTTPRequestHandler):
    """A collector that keeps the bytes that it is sent."""

    kept: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.kept.append((self.path, content))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


@contextmanager
def collecting() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    kept: list[tuple[str, bytes]] = []
    handler = type("Kept", (Spans,), {"kept": kept})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_a_collector_gets_the_span_of_the_same_trace() -> None:
    with collecting() as (port, kept), way(Collector("127.0.0.1", port, "/v1/traces", 1.0)) as on:
        trace = on.ask().headers["x-trace-id"]
        wait_for(lambda: any(bytes.fromhex(trace) in content for _, content in kept), 10)
        assert {path for path, _ in kept} == {"/v1/traces"}
        assert any(b"mlops-router" in content for _, content in kept)
