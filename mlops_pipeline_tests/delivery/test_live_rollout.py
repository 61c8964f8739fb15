"""Whole rollouts on real processes under load: users notice a rollout as little as can be."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.assignment import units_for
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import StepOutcome, step
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.world import World, http_probe, raise_incident, salt_of
from mlops_pipeline.ledger import champion, decisions, quarantine, versions
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline_tests.delivery.conftest import Load, NodeProcess, until
from mlops_pipeline_tests.delivery.contracts import short_contract

pytestmark = pytest.mark.slow
MODEL = "flight_delay"
FAULTS = {"failing": "error=0.4,after=30", "slow": "delay_ms=150", "dead": "error=1,after=60"}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def world(node: NodeProcess) -> Iterator[World]:
    """Version 1 serves; a version is served with the fault that its name says."""
    engine = open_ledger(node.settings.ledger_url)
    with transaction(engine) as tx:
        for name in ("1", "2", *FAULTS):
            versions.add(tx, MODEL, name, bundle=f"b-{name}", lineage=f"l-{name}", now=now())

    def fault(version: VersionRow) -> str | None:
        return FAULTS.get(version.version)

    made = World(
        engine=engine,
        node=node.client,
        settings=node.settings,
        bundle_folder=lambda version: Path("/nowhere"),
        probe=http_probe(node.settings.port),
        notify=raise_incident,
        fault=fault,
    )
    deploy_first(made, short_contract(), version="1", reason="first", now=now())
    yield made
    engine.dispose()


def drive(world: World, candidate: str, load: Load) -> StepOutcome:
    """The rollout went on under load until it ended."""
    row = start_rollout(world, short_contract(), candidate=candidate, reason="passed", now=now())
    found: list[StepOutcome] = []

    def ended() -> bool:
        found.append(step(world, row.id, now=now()))
        return found[-1].ended

    until(f"version {candidate} ends its rollout", ended, 60)
    return found[-1]


def test_a_good_version_is_promoted_without_one_failed_request(world: World, node: NodeProcess):
    with Load(f"{node.url}/{MODEL}/predict") as load:
        outcome = drive(world, "2", load)
        load.until_sent(200)
    assert outcome.rollout.state is RolloutState.PROMOTED
    assert load.failures == []
    assert load.sent > 500
    with reading(world.engine) as tx:
        assert champion.read(tx, MODEL).version == "2"
    assert node.state().routes[MODEL].arms.versions == ("2",)
    with Load(f"{node.url}/{MODEL}/predict") as load:
        load.until_sent(100)
        back = roll_back(world, MODEL, reason="labels came in", by="ana", now=now())
        load.until_sent(100)
    assert load.failures == []
    assert back.serving == "1"
    assert 0 < back.confirmation.seconds_to_zero_weight < 10  # the benchmark knows the usual time


@pytest.mark.parametrize("candidate", ["failing", "slow", "dead"])
def test_a_bad_version_is_rolled_back_with_few_users_hurt(
    world: World, node: NodeProcess, candidate: str
):
    with Load(f"{node.url}/{MODEL}/predict") as load:
        outcome = drive(world, candidate, load)
        hurt = len(load.failures)
        load.until_sent(200)
    assert outcome.rollout.state is RolloutState.ROLLED_BACK
    assert hurt <= 150
    assert len(load.failures) == hurt  # nobody after the rollback
    with reading(world.engine) as tx:
        rolled, confirmed = decisions.of_rollout(tx, outcome.rollout.id)[-2:]
        assert quarantine.is_quarantined(tx, MODEL, f"l-{candidate}")
        assert champion.read(tx, MODEL).version == "1"
    assert rolled.evidence["candidate_requests"] > 0
    assert confirmed.evidence["seconds_to_zero_weight"] < 10


def test_the_command_says_which_version_the_router_gives_a_unit(world: World, node: NodeProcess):
    row = start_rollout(world, short_contract(), candidate="2", reason="passed", now=now())
    node.serve(MODEL, "2")
    salt = salt_of(row)
    node.client.put_routes(
        MODEL, stable="1", candidate="2", weight=3000, shadow=False, salt=salt,
        rollout=row.id, generation=row.generation,
    )  # fmt: skip
    environment = {
        **os.environ,
        "MLOPS_HOME": str(node.settings.home),
        "MLOPS_RUNTIME_DIR": str(node.settings.runtime_dir),
        "MLOPS_PORT": str(node.settings.port),
        "MLOPS_PROFILE": "scratch",
    }
    for mine in (True, False):
        (unit,) = units_for(salt, 3000, 1, candidate=mine)
        answer = httpx.post(f"{node.url}/{MODEL}/predict", headers={"x-unit": unit}, content=b"{}")
        version = answer.headers["x-served-by"].removeprefix(f"{MODEL}-v")
        assert version == ("2" if mine else "1")
        words = ("-m", "mlops_pipeline.cli.main", "rollout", "assignment", MODEL, unit)
        said = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
        )
        assert said.stdout.strip().endswith(f"weight 3000: version {version}")
