"""A world without processes: real ledger, real switchboard, a router in this process."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from mlops_pipeline.delivery.start import deploy_first
from mlops_pipeline.delivery.world import World
from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.settings import Settings
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode, Users, fake_world
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A ledger with three versions."""
    opened = open_ledger(settings.ledger_url)
    with transaction(opened) as tx:
        for version in "123":
            versions.add(tx, MODEL, version, bundle=f"b{version}", lineage=f"l{version}", now=NOW)
    yield opened
    opened.dispose()


@pytest.fixture
def node(settings: Settings) -> FakeNode:
    """A node without processes."""
    return FakeNode(settings)


@pytest.fixture
def world(node: FakeNode, engine: Engine) -> World:
    """Version 1 is champion and serves."""
    made = fake_world(node, engine)
    deploy_first(made, short_contract(), version="1", reason="first", now=NOW)
    return made


@pytest.fixture
def users(node: FakeNode) -> Users:
    """Users of the model."""
    return Users(node, MODEL)
