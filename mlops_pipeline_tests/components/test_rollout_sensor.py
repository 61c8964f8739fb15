"""The rollout's sensor: the next step while one is under way, and a run that settles."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from mlops_pipeline.components.steps import unsettled
from mlops_pipeline.delivery.journal import Fence, ModelRoutes
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.errors import NodeUnreachable, RegistryError
from mlops_pipeline.ledger import champion, rollouts, versions
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline_tests.components.place import Place

NOW = datetime.now(UTC)
LEADING = Champion("town", "1", None, 4)


def tick(here: Place) -> Any:
    return here.tick("town__rollout_due")


def lead(here: Place, *more: str) -> None:
    with transaction(here.house.ledger) as tx:
        for name in ("1", *more):
            versions.add(
                tx, "town", name, bundle=f"b{name}", lineage=f"l{name}", now=NOW,
                status=VersionStatus.STAGING,
            )  # fmt: skip
        champion.move(tx, "town", to="1", seen_epoch=0, reason="first", now=NOW, first=True)


class Says:
    """A node and a registry that say what they are told to."""

    def __init__(self, arms: Arms | None, alias: str | None) -> None:
        self._arms, self._alias = arms, alias

    def state(self) -> NodeView:
        if self._arms is None:
            raise NodeUnreachable("it is down")
        routes = {"town": ModelRoutes(self._arms, Fence(1, 1))}
        return NodeView(1, 1, 1, True, "r1", "", routes, (), (), {})

    def alias(self, model: str, alias: str) -> str | None:
        if self._alias == "gone":
            raise RegistryError("MLflow is down")
        return self._alias


@pytest.mark.parametrize(
    ("arms", "alias", "said"),
    [
        (Arms("town", "1"), "1", ""),
        (Arms("town", "1", "2", 0), "1", ""),
        (Arms("town", "0", "1", 10_000), "1", "the router splits"),
        (Arms("town", "1"), "0", "the alias champion names version 0"),
        (None, "gone", ""),  # what cannot be asked has its own alarm, and no run would help
    ],
)
def test_what_does_not_follow_the_ledger_is_named(
    arms: Arms | None, alias: str | None, said: str
) -> None:
    says: Any = Says(arms, alias)
    found = unsettled(says, says, LEADING)
    assert found.startswith(said) if said else found == ""


def test_a_pointer_that_the_alias_does_not_follow_gets_a_run_that_settles(here: Place) -> None:
    lead(here)
    (request,) = tick(here).run_requests
    assert request.run_key.startswith("settle-1-")


def test_a_rollout_under_way_gets_its_next_step_whatever_the_alias_says(here: Place) -> None:
    lead(here, "2")
    with transaction(here.house.ledger) as tx:
        row = rollouts.start(
            tx, "town", candidate="2", stable="1", plan={}, plan_digest="d", reason="r", now=NOW
        )
    (request,) = tick(here).run_requests
    assert request.run_key.startswith(f"rollout-{row.id}-{row.generation}-")


def test_a_version_that_waits_gets_a_run_whose_config_the_job_takes(here: Place) -> None:
    lead(here, "2")
    here.house.registry.prepare()
    client = here.house.registry._client
    client.create_registered_model("town")
    client.create_model_version("town", source="file:///nowhere")
    here.house.registry.set_alias("town", "champion", "1")
    (request,) = tick(here).run_requests
    assert request.run_key == "rollout-of-2"
    job = here.definitions.resolve_job_def("town__rollout_step")
    found = dg.validate_run_config(job, request.run_config)
    assert found["ops"]["read_world"]["config"]["candidate"] == "2"
