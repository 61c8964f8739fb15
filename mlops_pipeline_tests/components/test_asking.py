"""CI's wish stands under everybody's rules; a training past them is told."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from mlops_pipeline.components.fleet import run_past_controller
from mlops_pipeline.ledger import audit, incidents, retrains
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline_tests.components.place import Place, place
from mlops_pipeline_tests.monitoring import town

OFF = dg.DefaultSensorStatus.STOPPED
AS_OF = {"ops": {"town__snapshot": {"config": {"as_of": "2024-04-01"}}}}


def asked(here: Place, config: Mapping[str, object], **tags: str) -> dict[str, str]:
    """The tags of a run that asked."""
    job = here.definitions.resolve_job_def("town__ask")
    named = {"mlops/run_config": json.dumps(config), "commit": "abc", **tags}
    done = job.execute_in_process(instance=here.instance, tags=named, raise_on_error=False)
    run = here.instance.get_run_by_id(done.run_id)
    assert run is not None
    return {**run.tags, "status": run.status.value}


def test_a_wish_is_granted_joined_and_handed_out_once(here: Place) -> None:
    first = asked(here, AS_OF, **{"mlops/ci_key": "abc-1"})
    assert (first["mlops/rule"], first["mlops/request"]) == ("granted", "1")
    second = asked(here, AS_OF, **{"mlops/ci_key": "abd-2"})
    assert (second["mlops/rule"], second["mlops/request"]) == ("joined", "1")
    (run,) = here.tick("town__retrain_due").run_requests or ()
    assert run.tags["mlops/retrain"] == "1"
    assert run.run_config == AS_OF
    assert run.tags["mlops/reason"] == "ci: ci abc-1: commit abc; ci: ci abd-2: commit abc"


def test_the_same_rows_give_the_verdict_that_they_had(here: Place) -> None:
    for month in ("2024-01", "2024-02", "2024-03"):
        here.house.snapshots.store_part(here.contract, month, town.month(month))
    asked(here, AS_OF)
    with transaction(here.house.ledger) as tx:
        retrains.close(tx, 1, outcome="reject", now=datetime.now(UTC))
    again = asked(here, AS_OF)
    assert (again["mlops/rule"], again["mlops/came_to"]) == ("same_inputs", "reject")
    assert "mlops/request" not in again
    with reading(here.house.ledger) as view:
        assert [e.action for e in audit.entries(view, "town")][-1] == "retrain.declined"


def test_cool_down_and_budget_hold_for_ci(tmp_path: Path) -> None:
    with place(tmp_path, retraining={"cooldown_hours": 24}) as here:
        asked(here, {})
        with transaction(here.house.ledger) as tx:
            retrains.close(tx, 1, outcome="promote", now=datetime.now(UTC))
        assert asked(here, {})["mlops/rule"] == "cooling_down"


def test_a_request_cannot_carry_any_other_config(here: Place) -> None:
    config = {"ops": {"town__candidate_trees": {"config": {"seed": 1}}}}
    assert asked(here, config)["status"] == "FAILURE"
    with reading(here.house.ledger) as view:
        assert retrains.history(view, "town") == ()


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"mlops/past_controller": "ann: the holidays"}, "ann: the holidays"),
        ({}, "no reason was given"),
        ({"mlops/retrain": "1"}, None),
        ({"mlops/review": "1"}, None),
    ],
)
def test_a_training_past_the_controller_is_told(
    here: Place, tags: dict[str, str], said: str | None
) -> None:
    @dg.op
    def nothing() -> None:
        """No training."""

    @dg.job(name="town__train")
    def train() -> None:
        nothing()

    done = train.execute_in_process(instance=here.instance, tags=tags)
    with dg.build_run_status_sensor_context(
        sensor_name="fleet__run_past_controller",
        dagster_event=done.all_events[0],
        dagster_instance=here.instance,
        dagster_run=done.dagster_run,
        resources={"house": here.house},
    ) as context:
        run_past_controller(OFF)(context)
    with reading(here.house.ledger) as view:
        told = incidents.open_incidents(view, "town")
    assert [one.cause for one in told] == ([] if said is None else ["retraining_override"])
    for one in told:
        assert one.summary == f"town is trained past the retrain controller: {said}"
        assert one.detail["owner"] == "team:parcels"
