"""Failed checks of any severity, sensors that raise, runs that break: each is told."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_pipeline.components.fleet import run_failed
from mlops_pipeline.components.house import House
from mlops_pipeline.components.vigil import checks_watch, newest_ticks
from mlops_pipeline.ledger import incidents, retrains
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring import retraining
from mlops_pipeline.monitoring.heartbeat import last_beat
from mlops_pipeline.monitoring.retraining import Reason
from mlops_pipeline_tests.components.place import Place, environment_of
from mlops_pipeline_tests.monitoring import town
from mlops_pipeline_tests.monitoring.webhook import webhook

OFF = dg.DefaultSensorStatus.STOPPED
LIVE_SECONDS = 100


def open_causes(house: House) -> list[str]:
    with reading(house.ledger) as view:
        return [one.cause for one in incidents.open_incidents(view)]


def checked(passed: bool, severity: dg.AssetCheckSeverity) -> dg.Definitions:
    @dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="rows")])
    def rows() -> dg.MaterializeResult:  # type: ignore[type-arg]
        result = dg.AssetCheckResult(
            check_name="sound", passed=passed, severity=severity, description="3 rows are odd"
        )
        return dg.MaterializeResult(check_results=[result])

    return dg.Definitions(assets=[rows], sensors=[checks_watch(OFF)])


def look(here: Place, definitions: dg.Definitions, cursor: str | None = None) -> str | None:
    dg.materialize(definitions.assets or [], instance=here.instance)  # type: ignore[arg-type]
    return seen_by_checks(here, definitions, cursor).cursor


def seen_by_checks(here: Place, definitions: dg.Definitions, cursor: str | None) -> Any:
    known = definitions.get_repository_def()
    return here.tick(definitions.resolve_sensor_def("fleet__checks"), cursor, repository_def=known)


@pytest.mark.parametrize("severity", list(dg.AssetCheckSeverity))
def test_a_failed_check_is_an_incident_though_its_run_succeeded(
    here: Place, severity: dg.AssetCheckSeverity
) -> None:
    cursor = look(here, checked(False, severity))
    assert open_causes(here.house) == ["check_failed:rows:sound"]
    look(here, checked(True, severity), cursor)
    assert open_causes(here.house) == []


def test_a_check_that_is_still_red_is_not_told_again_after_a_person_resolved_it(
    here: Place,
) -> None:
    definitions = checked(False, dg.AssetCheckSeverity.WARN)
    cursor = look(here, definitions)
    with transaction(here.house.ledger) as tx:
        incidents.resolve(tx, 1, reason="known", now=datetime.now(UTC))
    seen_by_checks(here, definitions, cursor)
    assert open_causes(here.house) == []


def test_an_instance_without_ticks_has_none(here: Place) -> None:
    assert newest_ticks(here.instance) == {}


def test_a_run_that_breaks_is_an_incident_and_its_request_waits_for_another_attempt(
    here: Place,
) -> None:
    with transaction(here.house.ledger) as tx:
        retraining.ask(
            tx,
            here.contract,
            reason=Reason("person", "", "ann asks"),
            source=RetrainSource.PERSON,
            inputs=None,
            now=datetime.now(UTC),
        )

    @dg.op
    def breaks() -> None:
        raise ValueError("the disk is full")

    @dg.job(name="town__train")
    def train() -> None:
        breaks()

    result = train.execute_in_process(
        instance=here.instance, raise_on_error=False, tags={"mlops/retrain": "1"}
    )
    event = result.get_run_failure_event()
    here.house.registry.prepare()
    with dg.build_run_status_sensor_context(
        sensor_name="fleet__run_failed",
        dagster_event=event,
        dagster_instance=here.instance,
        dagster_run=result.dagster_run,
        resources={"house": here.house},
    ) as context:
        run_failed(OFF)(context.for_run_failure())
    assert open_causes(here.house) == ["run_failed:town__train"]
    with reading(here.house.ledger) as view:
        request = retrains.get(view, 1)
    assert (request.state, request.attempt) == ("open", 2)


@pytest.mark.slow
def test_a_live_daemon_beats_hands_out_a_request_and_tells_of_the_run_that_broke(
    tmp_path: Path,
) -> None:
    """No rows are stored, so the run breaks: the incident reaches a real webhook."""
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(
        "load_from:\n- python_module:\n    module_name: mlops_pipeline.definitions\n"
        "    location_name: mlops_pipeline\n"
    )
    with webhook() as hook:
        environment = {
            **os.environ,
            **environment_of(tmp_path, town.CONTRACT),
            "MLOPS_PROFILE": "production",
            "MLOPS_ALERT_URLS": hook.url,
            "PYTHONWARNINGS": "ignore",
        }
        subprocess.run(
            [
                *(sys.executable, "-c"),
                "from mlops_pipeline.components.instance import prepare_dagster_home as p;"
                "from mlops_pipeline.settings import read_settings as r; p(r());"
                "from mlops_pipeline.registry.mlflow import open_registry as o; o(r()).prepare()",
            ],
            env=environment,
            check=True,
        )
        ask = [sys.executable, "-m", "mlops_pipeline.cli.main", "retrain", "request", "town"]
        subprocess.run([*ask, "--reason", "a drill"], env=environment, check=True)
        daemon = subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        home = Path(environment["MLOPS_HOME"])
        try:
            until(lambda: last_beat(home) is not None, "the daemon never beat")
            until(lambda: _titles(hook.received) != [], "no alert reached the webhook")
        finally:
            daemon.terminate()
            daemon.wait(30)
    assert "[warning] town: run_failed:town__train" in _titles(hook.received)
    engine = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    with reading(engine) as view:
        (request,) = retrains.history(view, "town")
    engine.dispose()
    assert request.reasons[0]["finding"].endswith("a drill")
    assert (request.attempt, request.state) in [(2, "open"), (2, "closed")]


def _titles(received: list[dict[str, str]]) -> list[str]:
    return [message["title"] for message in received if "run_failed" in message["title"]]


def until(done: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + LIVE_SECONDS
    while not done():
        if time.monotonic() > give_up:
            pytest.fail(otherwise)
        time.sleep(0.2)
