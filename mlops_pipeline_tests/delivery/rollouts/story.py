"""What rollout tests say again and again."""

from datetime import UTC, datetime

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery.rollout import StepOutcome, step
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.start import start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = "flight_delay"


def begin(world: World, contract: ModelContract | None = None, candidate: str = "2") -> int:
    """A rollout that is under way at its first stop."""
    chosen = contract or short_contract()
    row = start_rollout(world, chosen, candidate=candidate, reason="passed", now=NOW)
    assert step(world, row.id, now=NOW).action == "advance"
    return row.id


def drive(world: World, rollout: int, users: Users, *, batch: int = 100) -> StepOutcome:
    """Users ask and steps are taken until the rollout ends or stops getting on."""
    for _ in range(40):
        users.send(batch)
        outcome = step(world, rollout, now=NOW)
        if outcome.ended:
            return outcome
    return outcome


def arms(node: FakeNode) -> Arms:
    """How the model is split now."""
    return node.switch.journal.routes[MODEL].arms
