"""One telling of the story, and the services of `mlops dev` on what it left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

MLOPS = (sys.executable, "-m", "mlops_pipeline.cli.main")
STORY_SECONDS = 420
START_SECONDS = 120


@dataclass(frozen=True)
class Told:
    """What a demo left: its summary, its home, and the environment that names it."""

    code: int
    summary: dict[str, Any]
    environment: dict[str, str]


@dataclass(frozen=True)
class Services:
    """`mlops dev` on the home of a demo."""

    dagster: str
    mlflow: str
    serving: str
    environment: dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment_of(home: Path, **more: str) -> dict[str, str]:
    ours = ("MLOPS_", "MLFLOW_TRACKING", "DAGSTER_")  # what another test may have left
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**plain, "MLOPS_HOME": str(home), "MLOPS_PORT": str(free_port()), **more}


def tell(home: Path, *words: str, **more: str) -> Told:
    environment = environment_of(home, **more)
    done = subprocess.run(
        [*MLOPS, "demo", "--profile", "smoke", "--json", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
        check=False,
    )
    assert done.stdout.strip(), done.stderr[-3000:]
    return Told(done.returncode, json.loads(done.stdout.splitlines()[-1]), environment)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(tmp_path_factory.mktemp("story") / "home")


@pytest.fixture(scope="session")
def services(told: Told) -> Iterator[Services]:
    assert told.summary["ok"], told.summary["broken"]
    dagster, mlflow = free_port(), free_port()
    process = subprocess.Popen(
        [*MLOPS, "dev", "--dagster-port", str(dagster), "--mlflow-port", str(mlflow)],
        env=told.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = "http://127.0.0.1:{}".format
    try:
        for url in (f"{address(dagster)}/server_info", address(mlflow)):
            until_up(url, process)
        yield Services(
            address(dagster),
            address(mlflow),
            address(told.environment["MLOPS_PORT"]),
            {**told.environment, "DAGSTER_URL": address(dagster)},
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def until_up(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        assert process.poll() is None, f"mlops dev ended with {process.returncode}"
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not come up within {START_SECONDS} s")
