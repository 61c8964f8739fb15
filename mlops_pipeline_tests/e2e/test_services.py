"""`mlops dev` on the state of a demo: CI gets a verdict, users an answer, the UI shows it all."""

import json
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest

from mlops_pipeline_tests.e2e.conftest import MLOPS, Services

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUESTION = {
    "scheduled_departure": "2013-07-02T17:30:00",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "SFO",
    "distance": 2565,
    "scheduled_arrival": 2040,
}


def mlops(services: Services, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*MLOPS, *words],
        env=services.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def page(url: str, chromium: Path) -> str:
    """The document that the browser made of the page."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                str(chromium),
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--disable-sync"),
                *("--disable-component-update", f"--user-data-dir={profile}"),
                *("--virtual-time-budget=25000", "--window-size=1500,950", "--dump-dom"),
                url,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def test_the_node_serves_the_champion_again(services: Services) -> None:
    answer = httpx.post(f"{services.serving}/flight_delay/predict", json=QUESTION, timeout=10)

    assert answer.status_code == 200
    assert answer.json()["version"] == "2"


def test_ci_trains_past_the_controller_and_gets_the_verdict(services: Services) -> None:
    config = {"ops": {"flight_delay__snapshot": {"config": {"as_of": "2013-07-01"}}}}
    loud = ("--past-controller", "the rows of the first version again")

    done = mlops(
        services, "ci", "run", "flight_delay__train", *loud, "--config", json.dumps(config)
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the gate says promote" in done.stdout


def test_ci_that_asks_hears_how_the_retrain_controller_rules(services: Services) -> None:
    done = mlops(services, "ci", "run", "flight_delay__train")

    assert done.returncode == 2, done.stdout + done.stderr
    assert "inconclusive: the retrain controller says cooling_down" in done.stdout


def test_ci_refuses_a_job_that_does_not_exist(services: Services) -> None:
    done = mlops(services, "ci", "run", "flight_delay__trian", "--wait")

    assert done.returncode == 4
    assert "flight_delay__trian" in done.stderr


def test_the_person_on_call_sees_the_rollout(services: Services) -> None:
    done = mlops(services, "rollout", "status", "flight_delay", "--json")

    seen = json.loads(done.stdout)
    assert seen["champion"]["version"] == "2"
    assert seen["rollout"]["state"] == "rolled_back"
    assert "roll_back" in [decision["action"] for decision in seen["decisions"]]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/asset-groups", ["candidate_lightgbm", "evaluation", "model_card"]),
        (
            "/assets/flight_delay/snapshot?view=checks",
            ["label_rate", "uniqueness", "Plots", "Passed"],
        ),
        ("/assets/flight_delay/evaluation", ["roc_auc_gain", "verdict", "flights"]),
        (
            "/locations/mlops_pipeline/jobs/flight_delay__rollout_step",
            ["read_world", "judge", "roll_back"],
        ),
    ],
)
def test_the_ui_shows(services: Services, chromium: Path, path: str, shown: list[str]) -> None:
    document = page(services.dagster + path, chromium)

    missing = [text for text in shown if text not in document]
    assert not missing, f"{path} does not show {missing}"
