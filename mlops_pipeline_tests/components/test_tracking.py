"""One Dagster run is one MLflow run with the right end: finished, failed, killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlops_pipeline.components.fleet import close_tracking
from mlops_pipeline.components.house import House

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # importing mlflow and dagster-mlflow warns in many ways
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def tracked(home: Path, what: str, mark: Path | None = None) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "TRACKED": what, "TRACKED_MARK": str(mark)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "mlops_pipeline_tests.components.tracked"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def ends() -> list[tuple[str, str]]:
    """(Dagster run id, status) of every run in MLflow."""
    from mlflow import MlflowClient

    registry = House().registry
    client = MlflowClient(registry.tracking_uri)
    return [
        (run.data.tags["dagster_run_id"], run.info.status)
        for run in client.search_runs([registry.prepare()])
    ]


@pytest.mark.parametrize(
    ("what", "code", "status"),
    [("pass", 0, "FINISHED"), ("fail", 1, "FAILED"), ("skip", 0, "FINISHED")],
)
def test_a_run_that_ends_by_itself_leaves_one_run_with_its_status(
    home: Path, what: str, code: int, status: str
) -> None:
    assert tracked(home, what).wait(120) == code

    assert [end for _, end in ends()] == [status]


def test_a_killed_run_is_closed_by_the_failure_sensor(home: Path) -> None:
    mark = home / "sleeps"
    process = tracked(home, "sleep", mark)
    give_up = time.monotonic() + 90
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < give_up
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    run_id = mark.read_text()
    assert ends() == [(run_id, "RUNNING")]

    closed = close_tracking(House(), run_id, "FAILED")

    assert closed is not None
    assert ends() == [(run_id, "FAILED")]
    assert close_tracking(House(), run_id, "KILLED") is None, "a closed run stays as it is"


def test_a_run_that_was_never_tracked_has_nothing_to_close(home: Path) -> None:
    assert close_tracking(House(), "no-such-run", "FAILED") is None
