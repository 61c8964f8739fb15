"""Whole rollouts on real processes under load: users notice a rollout as little as can be."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import StepOutcome, step
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.world import World, http_probe, raise_incident
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
