"""Dashboards against the real Prometheus, fed by a real run."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mlops_pipeline_tests.e2e.conftest import Services, Told, free_port
from mlops_pipeline_tests.monitoring.prometheus import DEPLOY, prometheus, until_up

DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))


@pytest.mark.slow
def test_every_panel_shows_data_of_a_real_run(
    services: Services, told: Told, tmp_path: Path
) -> None:
    """The demo's home is served again, a few requests are sent, and each panel's query is asked."""
    with _metrics(told.environment) as page, prometheus(tmp_path, page) as address:
        _ask_the_model(services.serving, 40)
        empty = _silent_panels(address, services.serving)
    assert empty == []


def _panels() -> Iterator[tuple[str, str]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def _silent_panels(prometheus: str, serving: str) -> list[str]:
    """Panels whose query never gives anything; asked for a minute, while users go on asking: a
    rate needs requests between two looks."""
    waiting, give_up = dict(_panels()), time.monotonic() + 60
    while waiting and time.monotonic() < give_up:
        waiting = {name: query for name, query in waiting.items() if not _answer(prometheus, query)}
        _ask_the_model(serving, 3)
    return list(waiting)


def _answer(prometheus: str, query: str) -> bool:
    told = httpx.get(
        f"{prometheus}/api/v1/query", params={"query": query.replace("$__rate_interval", "30s")}
    ).json()
    assert told["status"] == "success", (query, told)
    return any(one["value"][1] != "NaN" for one in told["data"]["result"])


def _ask_the_model(serving: str, wanted: int) -> None:
    """Live requests, ten a second, until the champion has answered so many."""
    body = {
        "scheduled_departure": "2013-08-01T06:30:00", "carrier": "UA", "origin": "EWR",
        "dest": "IAH", "distance": 1400, "scheduled_arrival": 830, "temp": 39.0, "humid": 60.0,
        "wind_speed": 10.0, "precip": 0.0, "pressure": 1012.0, "visib": 10.0,
    }  # fmt: skip
    give_up = time.monotonic() + 60
    answered = 0
    while answered < wanted and time.monotonic() < give_up:
        try:
            done = httpx.post(f"{serving}/flight_delay/predict", json=body, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        answered += done.status_code == 200
        time.sleep(0.1)
    assert answered >= wanted


@contextmanager
def _metrics(environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_pipeline.cli.main", "metrics", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        until_up(f"http://127.0.0.1:{port}/metrics", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
