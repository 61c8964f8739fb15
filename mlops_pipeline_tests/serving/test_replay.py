import itertools
import math
import socket
import threading
from collections.abc import Iterator

import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.client import Reply
from mlops_pipeline.serving.replay import (
    BackgroundReplay,
    Progress,
    ReplayRequest,
    percentile,
    replay,
)
from mlops_pipeline_tests.serving.scripted import SILENT, answer, scripted
from mlops_pipeline_tests.serving.waiting import wait_for


def requests(count: int | None = None) -> Iterator[ReplayRequest]:
    numbers = itertools.count() if count is None else range(count)
    return (ReplayRequest(id=str(n), unit=f"u{n}", body=b'{"a":1}') for n in numbers)


def test_every_request_is_sent_once_and_answers_are_counted_by_version() -> None:
    heard: list[str] = []

    def script(name: str) -> bytes:
        heard.append(name)
        return answer(200, version="2" if int(name) % 4 == 0 else "1")

    with scripted(script) as url:
        report = replay(url, requests(40), concurrency=4)
    assert sorted(map(int, heard)) == list(range(40))
    assert (report.sent, report.answered, report.refused, report.failed) == (40, 40, 0, 0)
    assert report.by_version == {"1": 30, "2": 10}
    assert 0 < report.p50_ms <= report.p99_ms <= report.max_ms


def test_5xx_and_broken_answers_are_failures_by_kind_and_4xx_refusals() -> None:
    told = {
        "0": answer(200),
        "1": answer(503),
        "2": answer(500),
        "3": None,
        "4": b"nonsense\r\n\r\n",
        "5": answer(422),
        "6": b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nonly this",
        "7": SILENT,
    }
    with scripted(lambda name: told[name]) as url:
        report = replay(url, requests(8), concurrency=1, timeout=0.3)
    assert (report.sent, report.answered, report.refused, report.failed) == (8, 1, 1, 6)
    assert report.refusals == {"http_422": 1}
    assert report.failures == {
        "http_503": 1,
        "http_500": 1,
        "reset": 1,
        "malformed": 1,
        "timeout": 2,
    }


def test_a_server_that_is_not_there_is_a_failure_of_each_request() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    report = replay(f"http://127.0.0.1:{port}/", requests(3), concurrency=3)
    assert report.failures == {"connect": 3}
    assert math.isnan(report.p50_ms)


def test_a_connection_that_the_server_closes_after_an_answer_is_opened_again() -> None:
    with scripted(lambda name: answer(200, more="connection: close\r\n")) as url:
        report = replay(url, requests(5), concurrency=1)
    assert (report.answered, report.failed) == (5, 0)


def test_requests_are_spread_over_time_at_the_asked_rate() -> None:
    with scripted(lambda name: answer(200)) as url:
        report = replay(url, requests(20), rate=100.0, concurrency=4)
    assert report.seconds >= 0.19
    assert report.rate <= 105


def test_the_report_says_how_late_requests_started() -> None:
    pause = threading.Event()

    def slow(name: str) -> bytes:
        pause.wait(0.05)
        return answer(200)

    with scripted(slow) as url:
        report = replay(url, requests(5), rate=1000.0, concurrency=1)
    assert report.late_ms > 100


def test_a_listener_hears_each_request_with_its_reply() -> None:
    heard: list[tuple[str, int, bytes]] = []

    def listen(request: ReplayRequest, reply: Reply) -> None:
        heard.append((request.id, reply.status, reply.body))

    with scripted(lambda name: answer(200)) as url:
        replay(url, requests(2), concurrency=1, listener=listen)
    assert heard == [("0", 200, b"{}"), ("1", 200, b"{}")]


def test_a_replay_in_the_background_shows_live_counters_and_stops_when_asked() -> None:
    with scripted(lambda name: answer(200)) as url:
        background = BackgroundReplay(url, requests(), rate=500.0)
        background.start()
        wait_for(lambda: background.progress.answered >= 20)
        report = background.stop()
        assert not background.running
    assert report.sent == report.answered >= 20


def test_what_a_listener_raises_is_told_to_who_stops_the_replay() -> None:
    def broken(request: ReplayRequest, reply: Reply) -> None:
        raise ValueError("listener")

    with scripted(lambda name: answer(200)) as url:
        background = BackgroundReplay(url, requests(3), listener=broken)
        background.start()
        assert background.wait(10)
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        background.stop()


@pytest.mark.parametrize(
    ("url", "rate", "concurrency", "what"),
    [
        ("ftp://host/", None, 1, "is no http URL"),
        ("http://host:99999/", None, 1, "99999"),
        ("http://host/", 0.0, 1, "rate 0.0 is no number"),
        ("http://host/", math.nan, 1, "rate nan is no number"),
        ("http://host/", None, 0, "concurrency 0"),
    ],
)
def test_an_unusable_order_is_refused(
    url: str, rate: float | None, concurrency: int, what: str
) -> None:
    with pytest.raises(ServingError, match=what):
        replay(url, requests(1), rate=rate, concurrency=concurrency)


def test_a_report_before_any_answer_has_no_latencies() -> None:
    report = Progress().report()
    assert (report.sent, report.by_version) == (0, {})
    assert math.isnan(report.max_ms)


def test_percentiles_are_values_that_occurred() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.99, 1.0, 0.001)] == [50, 99, 100, 1]
