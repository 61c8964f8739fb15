"""What ages without anybody's doing is noticed: rows, and the environment of the champion."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import champion, incidents, retrains, versions
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.registry.bundle import LINEAGE
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.environment import Environment, read_environment
from mlops_pipeline.registry.lineage import Lineage, lineage_json
from mlops_pipeline_tests.components.place import Place, place
from mlops_pipeline_tests.monitoring import town

NOW = datetime(2024, 9, 1, tzinfo=UTC)


def tick(here: Place, sensor: str, cursor: str | None = None) -> Any:
    return here.tick(f"town__{sensor}", cursor)


def open_ones(here: Place) -> list[str]:
    with reading(here.house.ledger) as view:
        return [one.cause for one in incidents.open_incidents(view, "town")]


def lead(here: Place, version: str, made_in: Environment, *, seen: int = 0) -> None:
    """A champion that was made in that environment."""
    month = Window.of_month("2024-03")
    lineage = Lineage(
        model="town",
        candidate="trees",
        trainer="lightgbm",
        params={},
        seed=7,
        snapshot="s",
        definition="d",
        contract="c",
        train=month,
        validation=month,
        test=month,
        code=read_code(),
        environment=made_in,
    )
    bundle = here.house.objects.put_tree({LINEAGE: lineage_json(lineage)})
    with transaction(here.house.ledger) as tx:
        versions.add(tx, "town", version, bundle=bundle, lineage="l", now=NOW)
        champion.move(
            tx, "town", to=version, seen_epoch=seen, reason="test", now=NOW, first=not seen
        )


def test_rows_that_got_old_are_an_incident_until_newer_ones_are_stored(tmp_path: Path) -> None:
    monitoring = {**town.CONTRACT["monitoring"], "max_age_hours": 24 * 365 * 100}
    with place(tmp_path, monitoring=monitoring) as here:
        assert tick(here, "stale_data").skip_message == "nothing is stored yet"
        month = town.month("2024-01")
        here.house.snapshots.store_part(here.contract, "2024-01", month)
        assert "hours old, 876000 allowed" in tick(here, "stale_data").skip_message
        assert open_ones(here) == []
    with place(tmp_path, monitoring={**monitoring, "max_age_hours": 5}) as here:
        tick(here, "stale_data")
        assert open_ones(here) == ["stale_data"]


def test_without_a_limit_rows_may_be_old(here: Place) -> None:
    assert "sets no monitoring.max_age_hours" in tick(here, "stale_data").skip_message


def test_the_environment_of_no_champion_cannot_drift(here: Place) -> None:
    assert tick(here, "environment").skip_message == "there is no champion"


def test_a_champion_made_here_needs_no_rebuild(here: Place) -> None:
    lead(here, "1", read_environment())
    assert tick(here, "environment").skip_message == "town version 1 was made in this environment"
    assert open_ones(here) == []


@pytest.mark.parametrize(
    ("part", "then"),
    [("packages", "0" * 64), ("python", "CPython 3.9.1"), ("vectors", "avx")],
)
def test_a_champion_made_elsewhere_is_an_incident_and_asks_for_a_rebuild_once(
    here: Place, part: str, then: str
) -> None:
    lead(here, "1", replace(read_environment(), **{part: then}))
    first = tick(here, "environment")
    (request,) = first.run_requests
    assert request.job_name == "town__train"
    assert request.tags["mlops/reason"].startswith("environment: environment ")
    assert f"{part} {then[:20]} -> " in request.tags["mlops/reason"]
    assert open_ones(here) == ["environment_drift"]
    again = tick(here, "environment", cursor=None)
    assert [r.run_key for r in again.run_requests] == [request.run_key]
    with reading(here.house.ledger) as view:
        (asked,) = retrains.history(view, "town")
        (incident,) = incidents.open_incidents(view, "town")
    assert len(asked.reasons) == 1
    assert (incident.detail["moved"], incident.detail["version"]) == ([part], "1")


def test_the_incident_is_over_once_a_champion_made_here_leads(here: Place) -> None:
    lead(here, "1", replace(read_environment(), python="CPython 3.9.1"))
    tick(here, "environment")
    lead(here, "2", read_environment(), seen=1)
    tick(here, "environment")
    assert open_ones(here) == []
