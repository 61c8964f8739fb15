"""Dagster's own processes are killed while it drives a rollout under load."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.reaper import clear_lost_runs
from mlops_pipeline.contract.promises import Approvals, Guard, Rollout
from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.drills.scene import (
    GOOD,
    MODEL,
    Scene,
    drill_contract,
    now,
    scene,
)
from mlops_pipeline.ledger import champion
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.registry.mlflow import MlflowRegistry, open_registry
from mlops_pipeline_tests.e2e.dagster_processes import PATIENCE, DagsterProcesses, environment_of

pytestmark = pytest.mark.slow
STATUS = dg.DagsterRunStatus


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Scene]:
    rollout = Rollout(
        shadow_requests=20,
        max_score_shift=0.2,
        steps=(50, 100),
        requests_per_step=20,
        guards=(Guard(name="error", budget=0.2), Guard(name="slow", over_ms=2000, budget=0.3)),
        step_deadline_minutes=30,
    )
    people = Approvals(before_traffic=True, before_promotion=True)
    contract = drill_contract().model_copy(update={"rollout": rollout, "approvals": people})
    with scene(tmp_path / "home", contract=contract) as one:
        yield one


@pytest.fixture
def registry(built: Scene) -> MlflowRegistry:
    """Versions 1 and 2 in a real MLflow store, without any file."""
    opened = open_registry(built.settings)
    opened.prepare()
    client = opened._client
    client.create_registered_model(MODEL)
    for name in ("1", GOOD):
        made = client.create_model_version(MODEL, source="file:///nowhere")
        assert str(made.version) == name
    opened.set_alias(MODEL, "champion", "1")
    return opened


@pytest.fixture
def dagster(
    built: Scene, registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DagsterProcesses]:
    environment = environment_of(built)
    for name in ("MLOPS_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, environment[name])
    with open_instance(built.settings) as instance:
        processes = DagsterProcesses(built, instance, environment)
        try:
            processes.start_code()
            processes.switch_sensor_on()
            processes.start_daemon()
            yield processes
        finally:
            processes.stop()


def agree(built: Scene, registry: MlflowRegistry, version: str) -> bool:
    """Ledger, router, users and MLflow name one version; nobody settles here but Dagster."""
    with reading(built.world.engine) as tx:
        leading = champion.read(tx, MODEL)
    routes = built.world.node.state().routes[MODEL]
    seen = {built.world.probe(MODEL, f"probe-{n}").served_by for n in range(5)}
    return (
        leading is not None
        and leading.version == routes.arms.stable == registry.alias(MODEL, "champion") == version
        and (routes.arms.weight > 0 or seen == {f"{MODEL}-v{version}"})
    )


def waits(built: Scene, rollout: int) -> None:
    """Dagster's steps brought the rollout, and the router, to where a person must say yes."""

    def there() -> bool:
        row, fence = built.row(rollout), built.world.node.state().routes[MODEL].fence
        obeyed = (fence.rollout, fence.generation) == (row.id, row.generation)
        return row.state is RolloutState.AWAITING_APPROVAL and obeyed

    built.until("the rollout waits for a yes", there, PATIENCE)


def say_yes(built: Scene) -> None:
    with transaction(built.world.engine) as tx:
        approvals.approve(tx, MODEL, approver="ana", reason="rehearsal", now=now())


def test_whatever_of_dagster_is_killed_the_rollout_goes_on_from_one_state(
    built: Scene, registry: MlflowRegistry, dagster: DagsterProcesses
):
    rollout = built.begin().id
    waits(built, rollout)

    # A run worker, after its command was written and before it is confirmed.
    lost = dagster.catch_in_mid_step(lambda: say_yes(built))
    assert built.row(rollout).state is RolloutState.STEPPING
    assert agree(built, registry, "1")
    over = lambda: dagster.instance.get_run_by_id(lost).status is STATUS.FAILURE  # noqa: E731
    built.until("the lost run is said to have failed", over, PATIENCE)

    # The daemon: users are served, and the next one's ticks go on.
    dagster.kill(dagster.daemon)
    built.users_go_on(200)
    assert agree(built, registry, "1")
    dagster.start_daemon()
    waits(built, rollout)

    # The code server.
    dagster.kill(dagster.code)
    built.users_go_on(200)
    assert agree(built, registry, "1")
    dagster.start_code()
    seen = dagster.ended_well()
    built.until("a run ends well again", lambda: dagster.ended_well() > seen, PATIENCE)

    # All of it at once, between the promotion's commit and the router's confirmation.
    pids = dagster.code.pid, dagster.daemon.pid
    lost = dagster.catch_in_mid_step(lambda: say_yes(built), *pids)
    dagster.stop()  # and whatever worker was being started
    assert built.row(rollout).state is RolloutState.PROMOTED
    assert registry.alias(MODEL, "champion") == "1"  # nobody came to move it
    assert dagster.instance.get_run_by_id(lost).status is STATUS.STARTED

    # The services start anew: the lost run is cleared, and the next one brings router and alias.
    assert lost in clear_lost_runs(dagster.instance, dagster.environment["DAGSTER_HOME"])
    seen = dagster.ended_well()
    dagster.start_code()
    dagster.start_daemon()
    built.until("a run ends well again", lambda: dagster.ended_well() > seen, PATIENCE)
    built.until("all name the new champion", lambda: agree(built, registry, GOOD), 10)
    built.users_go_on()
    assert built.hurt.unexplained() == ()
    assert built.audited() > 0
