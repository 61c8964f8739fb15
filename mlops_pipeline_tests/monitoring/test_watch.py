"""Windows become incidents: the right one each, told once, resolved when it is over."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.records import Estimate
from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.looks import LookKind
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.monitoring.live import BoundFinding, LivePerformance, PerformanceOutcome
from mlops_pipeline.monitoring.records import DriftOutcome, DriftReport, DriftRow
from mlops_pipeline.monitoring.watch import standing, usual_answers, watch_drift, watch_performance
from mlops_pipeline_tests.monitoring.rows import NOON, parcels

D, P = DriftOutcome, PerformanceOutcome
TWO_OF_THREE = parcels(windows=3, fire_on=2)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Connection]:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def row(**changes: Any) -> DriftRow:
    fields: dict[str, Any] = {
        "column": "weight",
        "kind": "number",
        "method": "psi",
        "value": 0.9,
        "threshold": 0.2,
        "limit": 0.3,
        "drifted": True,
        "reasons": ("psi 0.900 > 0.300",),
        "effect": "mean 10 -> 12",
        "n_reference": 900,
        "n_current": 800,
        "null_reference": 0.0,
        "null_current": 0.0,
        "unseen": (),
        "unseen_share": 0.0,
    }
    return DriftRow(**{**fields, **changes})


def drift(
    tx: Connection,
    window: str,
    outcome: DriftOutcome,
    *,
    contract: ModelContract = TWO_OF_THREE,
    answers: int = 800,
) -> bool:
    bad = outcome in (D.DRIFTED, D.OUTAGE)
    rows = (row(drifted=bad, silent=outcome is D.OUTAGE),)
    report = DriftReport("parcels", outcome, f"reason {window}", rows, None, 900, answers)
    return watch_drift(
        tx, contract, report, window=window, version="1", stored="d" * 64, now=NOON
    ).fired


def performance(
    tx: Connection,
    window: str,
    outcome: PerformanceOutcome,
    contract: ModelContract = TWO_OF_THREE,
) -> bool:
    live = Estimate(0.6, 0.58, 0.62)
    bound = BoundFinding("roc_auc", 0.8, 0.05, live, outcome is P.DEGRADED, "roc_auc 0.6 < 0.75")
    found = LivePerformance(
        model="parcels",
        version="1",
        start=None,
        end=None,
        as_of="2024-05-01",
        predictions=800,
        matured=800,
        labelled=790,
        without_label=0,
        missing=10,
        corrected=0,
        positives=300,
        metrics={"roc_auc": live},
        trusted=True,
        reason="enough",
        outcome=outcome,
        bounds=(bound,),
    )
    return watch_performance(
        tx, contract, found, window=window, stored="p" * 64, numbers={}, now=NOON
    ).fired


def open_causes(tx: Connection) -> list[str]:
    return [incident.cause for incident in incidents.open_incidents(tx, "parcels")]


def test_one_drifted_window_of_two_is_a_note(tx: Connection) -> None:
    drift(tx, "2024-04", D.STEADY)
    assert not drift(tx, "2024-05", D.DRIFTED)
    assert open_causes(tx) == []


def test_the_second_bad_window_fires_though_a_good_one_lay_between(tx: Connection) -> None:
    drift(tx, "2024-04", D.DRIFTED)
    drift(tx, "2024-05", D.STEADY)
    assert drift(tx, "2024-06", D.DRIFTED)
    assert open_causes(tx) == ["drift"]


def test_bad_windows_of_the_past_do_not_fire_when_the_newest_is_good(tx: Connection) -> None:
    for window in ("2024-04", "2024-05"):
        drift(tx, window, D.DRIFTED)
    assert not drift(tx, "2024-06", D.STEADY)


def test_an_incident_says_value_limit_window_version_owner_and_runbook(tx: Connection) -> None:
    drift(tx, "2024-04", D.DRIFTED)
    drift(tx, "2024-05", D.DRIFTED)
    (told,) = incidents.open_incidents(tx, "parcels")
    assert told.summary == "parcels drifts in 2024-05: weight"
    assert told.detail == {
        "metric": "psi of weight",
        "value": 0.9,
        "limit": 0.3,
        "missing": "0.0% -> 0.0%",
        "n": 800,
        "windows": "2 of the newest 2 windows (2024-05, 2024-04), 2 of 3 fire",
        "window": "2024-05",
        "version": "1",
        "reason": "reason 2024-05",
        "report": "d" * 64,
        "owner": "team:parcels",
        "runbook": "docs/runbooks/drift.md",
    }


def test_recovery_resolves_the_incident(tx: Connection) -> None:
    for window, outcome in (("2024-04", D.DRIFTED), ("2024-05", D.DRIFTED), ("2024-06", D.STEADY)):
        drift(tx, window, outcome)
    assert open_causes(tx) == []
    assert incidents.get(tx, 1).state == "resolved"


def test_an_outage_is_an_incident_at_once_and_never_fires_for_training(tx: Connection) -> None:
    assert not drift(tx, "2024-05", D.OUTAGE)
    assert not drift(tx, "2024-06", D.OUTAGE)
    (told,) = incidents.open_incidents(tx, "parcels")
    assert (told.cause, told.severity, told.times) == ("data_outage", "critical", 2)
    drift(tx, "2024-07", D.STEADY)
    assert open_causes(tx) == []


def test_too_few_rows_resolve_nothing(tx: Connection) -> None:
    drift(tx, "2024-05", D.OUTAGE)
    drift(tx, "2024-06", D.INCONCLUSIVE)
    assert open_causes(tx) == ["data_outage"]


def test_an_old_window_looked_at_again_changes_its_look_only(tx: Connection) -> None:
    drift(tx, "2024-05", D.STEADY)
    drift(tx, "2024-04", D.OUTAGE)
    assert open_causes(tx) == []


def test_a_version_that_got_worse_is_an_incident_until_it_is_as_released(tx: Connection) -> None:
    performance(tx, "2024-04", P.DEGRADED)
    assert performance(tx, "2024-05", P.DEGRADED)
    (told,) = incidents.open_incidents(tx, "parcels")
    assert (told.cause, told.detail["value"], told.detail["n"]) == ("performance", 0.6, 790)
    performance(tx, "2024-06", P.HEALTHY)
    assert open_causes(tx) == []


def test_a_version_is_not_blamed_for_an_outage(tx: Connection) -> None:
    contract = parcels()
    drift(tx, "2024-05", D.OUTAGE, contract=contract)
    assert not performance(tx, "2024-05", P.DEGRADED, contract)
    stands = standing(tx, contract, LookKind.PERFORMANCE)
    assert stands is not None
    assert (stands.look.outcome, stands.firing.fired) == ("outage", False)
    assert open_causes(tx) == ["data_outage"]


def test_labels_that_stay_away_are_an_incident(tx: Connection) -> None:
    performance(tx, "2024-05", P.UNLABELLED)
    assert open_causes(tx) == ["labels_missing"]
    performance(tx, "2024-06", P.HEALTHY)
    assert open_causes(tx) == []


def test_usual_answers_are_those_of_windows_before_without_outage(tx: Connection) -> None:
    drift(tx, "2024-04", D.STEADY, answers=700)
    drift(tx, "2024-05", D.OUTAGE, answers=3)
    drift(tx, "2024-07", D.STEADY, answers=900)
    assert usual_answers(tx, TWO_OF_THREE, "2024-06") == [700]


def test_versions_are_judged_apart(tx: Connection) -> None:
    drift(tx, "2024-04", D.DRIFTED)
    report = DriftReport("parcels", D.DRIFTED, "", (row(),), None, 900, 800)
    told: dict[str, Any] = {"window": "2024-05", "stored": "d" * 64, "now": NOON}
    assert not watch_drift(tx, TWO_OF_THREE, replace(report), version="2", **told).fired
