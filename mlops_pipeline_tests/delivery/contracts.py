"""The shipped contract with a rollout that is short enough for tests."""

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Approvals, Guard, Rollout
from mlops_pipeline.settings import PACKAGE_MODELS


def short_contract(
    *, approvals: Approvals | None = None, bake_minutes: float = 0, shadow_requests: int = 40
) -> ModelContract:
    """Shadow 40, then 10, 50 and 100 %, 60 units each; 5 % may fail, 20 % may be slow."""
    rollout = Rollout(
        shadow_requests=shadow_requests,
        max_score_shift=0.2,
        steps=(10, 50, 100),
        requests_per_step=60,
        guards=(
            Guard(name="error", budget=0.05),
            Guard(name="slow", over_ms=100, budget=0.2),
        ),
        step_deadline_minutes=10,
        bake_minutes=bake_minutes,
    )
    contract = load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")
    return contract.model_copy(update={"rollout": rollout, "approvals": approvals or Approvals()})
