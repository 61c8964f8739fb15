"""Sensors over all models, each asked once."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from mlops_pipeline.components.fleet import aliases_follow
from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline_tests.components.place import Place

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def said(here: Place) -> str | None:
    sensor = aliases_follow(dg.DefaultSensorStatus.STOPPED)
    return here.tick(sensor).skip_message


def test_without_versions_no_alias_is_asked_for(here: Place) -> None:
    assert said(here) == "0 models looked at; mended: none"


@pytest.mark.slow
def test_aliases_that_cannot_be_mended_are_named_and_break_no_tick(here: Place) -> None:
    name = here.contract.name
    with transaction(here.house.ledger) as tx:
        versions.add(tx, name, "1", bundle="b", lineage="l", now=datetime.now(UTC))
    assert (said(here) or "").startswith(
        f"1 models looked at; mended: {name}@candidate: none -> 1, not mended: cannot set"
    )
