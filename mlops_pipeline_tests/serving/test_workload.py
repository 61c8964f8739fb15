"""Streaming end to end on a real process: targets are ratios to a calibration run beside it."""

import statistics
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from mlops_pipeline.serving.replay import ReplayReport, ReplayRequest, gaps, replay
from mlops_pipeline.serving.request_log import read_records
from mlops_pipeline_tests.serving.processes import Server, serving
from mlops_pipeline_tests.serving.scripted import answer, scripted
from mlops_pipeline_tests.serving.world import body

BODY = body()


def requests(prefix: str = "r") -> Iterator[ReplayRequest]:
    number = 0
    while True:
        yield ReplayRequest(f"{prefix}{number}", f"u{number}", BODY)
        number += 1


def run(server: Server, seconds: float, rate: float | None = None) -> ReplayReport:
    return replay(
        "http://version/predict",
        requests(),
        uds=str(server.socket),
        rate=rate,
        arrivals="poisson",
        seconds=seconds,
        concurrency=16,
    )


def test_a_workload_ends_with_its_time_and_keeps_its_rate() -> None:
    with scripted(lambda name: answer(200)) as url:
        report = replay(url, requests(), rate=200.0, seconds=0.5)
    assert (report.sent, report.failed) == (100, 0)


def test_random_arrivals_are_of_the_rate_and_repeat_with_their_seed() -> None:
    first = list(islice(gaps(400.0, "poisson", 1), 4_000))
    assert first == list(islice(gaps(400.0, "poisson", 1), 4_000))
    assert first != list(islice(gaps(400.0, "poisson", 2), 4_000))
    assert 9.5 < sum(first) < 10.5  # 10 expected, 0.16 a standard deviation
    assert set(islice(gaps(400.0, "even", 1), 9)) == {1 / 400}


@pytest.mark.slow
def test_a_quarter_of_what_it_can_is_answered_whole_and_on_time(tmp_path: Path) -> None:
    """At a quarter of the calibrated rate nothing fails, and the median waits hardly longer than
    when all connections are busy."""
    with serving(tmp_path) as server:
        run(server, 0.5)
        full = run(server, 2.0)
        quarter = run(server, 2.0, rate=full.rate / 4)
        assert (quarter.failed, quarter.refused) == (0, 0)
        assert quarter.rate > 0.7 * full.rate / 4
        assert quarter.p50_ms < 2 * full.p50_ms


@pytest.mark.slow
def test_planted_faults_are_reported_by_kind(tmp_path: Path) -> None:
    with serving(tmp_path, "--fault", "error=0.3") as server:
        report = run(server, 1.0, rate=300.0)
    assert report.failures.keys() == {"http_500"}
    assert 0.2 < report.failed / report.sent < 0.4


@pytest.mark.slow
def test_memory_stays_flat_over_many_requests(tmp_path: Path) -> None:
    """The longer soak is benchmarks/serving.py --soak 500000."""
    with serving(tmp_path, "--log-rate", "0.01") as server:
        run(server, 2.0)
        samples = []
        for _ in range(4):
            run(server, 1.5)
            samples.append(server.memory_mb())
        assert statistics.mean(samples[2:]) - statistics.mean(samples[:2]) < 2.0
        assert samples[-1] < 100
    kept = list(read_records(tmp_path / "log"))
    assert {record.rate for record in kept} == {0.01}
