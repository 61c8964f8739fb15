"""Sensors and the schedule ask the controller: once for a cause, whatever happens to cursors."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import audit, champion, incidents, looks, retrains, versions
from mlops_pipeline.ledger.looks import LookKind
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring import retraining
from mlops_pipeline.monitoring.retraining import Reason
from mlops_pipeline_tests.components.place import Place

NOW = datetime.now(UTC)


def tick(here: Place, sensor: str, cursor: str | None = None) -> Any:
    return here.tick(f"town__{sensor}", cursor)


def look(
    here: Place, window: str, outcome: str = "drifted", kind: LookKind = LookKind.DRIFT
) -> None:
    with transaction(here.house.ledger) as tx:
        looks.record(
            tx, "town", kind=kind, window=window, version="1", outcome=outcome,
            reason="weight: psi 0.9 > 0.3", numbers={"answers": 1}, report=None, now=NOW,
        )  # fmt: skip


def fired(here: Place, kind: LookKind = LookKind.DRIFT) -> None:
    outcome = "drifted" if kind is LookKind.DRIFT else "degraded"
    look(here, "2024-03", outcome, kind)
    look(here, "2024-04", outcome, kind)


def test_before_the_first_look_there_is_nothing_to_say(here: Place) -> None:
    assert tick(here, "drift").skip_message == "nobody has looked at drift yet"


def test_one_bad_window_of_two_asks_for_nothing(here: Place) -> None:
    look(here, "2024-03")
    found = tick(here, "drift")
    assert not found.run_requests
    assert "1 of the newest 1 windows (2024-03), 2 of 3 fire" in found.skip_message


def test_windows_that_fire_ask_once_and_the_run_says_why(here: Place) -> None:
    fired(here)
    (request,) = tick(here, "drift").run_requests
    assert request.job_name == "town__train"
    assert request.run_key == "town__retrain-1-1"
    assert request.run_config["ops"]["town__snapshot"]["config"] == {"as_of": "2024-05-01"}
    assert request.tags["mlops/reason"].startswith(
        "drift: drift 2024-04: weight: psi 0.9 > 0.3; 2 of the newest 2 windows"
    )
    assert '"window":"2024-04"' in request.tags["mlops/why"]


def test_a_lost_cursor_starts_nothing_twice(here: Place) -> None:
    fired(here)
    first = tick(here, "drift")
    again = tick(here, "drift", cursor=None)
    assert [r.run_key for r in again.run_requests] == [r.run_key for r in first.run_requests]
    with reading(here.house.ledger) as view:
        (request,) = retrains.history(view, "town")
    assert len(request.reasons) == 1


def test_a_second_cause_joins_and_only_the_first_sensor_hands_the_run_out(here: Place) -> None:
    fired(here)
    fired(here, LookKind.PERFORMANCE)
    tick(here, "drift")
    joined = tick(here, "performance")
    assert not joined.run_requests
    assert joined.skip_message == "joined request 1, which town__drift hands out"
    with reading(here.house.ledger) as view:
        (request,) = retrains.history(view, "town")
    assert [reason["source"] for reason in request.reasons] == ["drift", "performance"]


def test_a_refusal_is_written_once_however_often_it_is_asked(here: Place) -> None:
    fired(here)
    for number in range(3):
        with transaction(here.house.ledger) as tx:
            asked = retraining.ask(
                tx, here.contract, reason=Reason("person", str(number), "x"),
                source=RetrainSource.PERSON, inputs=None, now=NOW,
            )  # fmt: skip
            assert asked.request is not None
            retrains.close(tx, asked.request.id, outcome="hold", now=NOW)
    first = tick(here, "drift")
    tick(here, "drift", cursor=first.cursor)
    assert "brought no gain" in first.skip_message
    with reading(here.house.ledger) as view:
        declined = [e for e in audit.entries(view, "town") if e.action == "retrain.declined"]
        (incident,) = incidents.open_incidents(view, "town")
    assert len(declined) == 1
    assert incident.cause == "retraining_without_gain"


def test_a_finding_about_a_version_that_left_asks_for_nothing(here: Place) -> None:
    with transaction(here.house.ledger) as tx:
        versions.add(tx, "town", "2", bundle="b", lineage="l", now=NOW)
        champion.move(tx, "town", to="2", seen_epoch=0, reason="test", now=NOW, first=True)
    fired(here)
    assert tick(here, "drift").skip_message == "2024-04: version 1 no longer leads"


def test_a_persons_request_gets_its_run(here: Place) -> None:
    assert tick(here, "retrain_due").skip_message == "no request waits"
    with transaction(here.house.ledger) as tx:
        reason = Reason("person", "today", "ann: new depots", as_of="2024-04-01")
        retraining.ask(
            tx, here.contract, reason=reason, source=RetrainSource.PERSON, inputs=None, now=NOW
        )
    (request,) = tick(here, "retrain_due").run_requests
    assert request.run_key == "town__retrain-1-1"
    assert request.run_config["ops"]["town__snapshot"]["config"] == {"as_of": "2024-04-01"}
    assert tick(here, "retrain_due").run_requests[0].run_key == request.run_key


def test_a_run_that_broke_is_asked_for_again_under_the_next_attempt(here: Place) -> None:
    fired(here)
    tick(here, "drift")
    assert not tick(here, "retrain_due").run_requests
    with transaction(here.house.ledger) as tx:
        retraining.broke(tx, here.contract, 1, error="worker lost", now=NOW)
    (request,) = tick(here, "retrain_due").run_requests
    assert (request.run_key, request.tags["mlops/attempt"]) == ("town__retrain-1-2", "2")


def test_the_schedule_asks_the_same_controller(here: Place) -> None:
    def schedule() -> Any:
        defined = here.definitions.resolve_schedule_def("town__retrain")
        with dg.build_schedule_context(
            instance=here.instance,
            scheduled_execution_time=NOW,
            resources={"house": here.house},
        ) as context:
            return defined.evaluate_tick(context)

    (request,) = schedule().run_requests
    assert request.run_key == "town__retrain-1-1"
    assert request.run_config == {}
    with transaction(here.house.ledger) as tx:
        retrains.close(tx, 1, outcome="hold", now=datetime.now(UTC))
    fired(here)
    assert tick(here, "drift").run_requests  # the town's cool-down is zero hours
    assert schedule().skip_message.startswith("joined request 2")


def test_months_end_where_the_next_begins() -> None:
    assert f"{Window.of_month('2024-12').end:%Y-%m-%d}" == "2025-01-01"
