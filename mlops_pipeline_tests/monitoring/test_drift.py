"""Drift fires on planted shifts, and on nothing else."""

import numpy as np
import pytest

from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring.drift import judge_drift, judge_predictions
from mlops_pipeline.monitoring.records import (
    DriftOutcome,
    DriftReport,
    drift_json,
    read_drift,
)
from mlops_pipeline_tests.monitoring.rows import features, parcels

REFERENCE = features(5000, seed=0)


def report(rows: int = 1000, seed: int = 1, **changes: float) -> DriftReport:
    """Of a window of so many rows against the reference."""
    return judge_drift(parcels(), REFERENCE, features(rows, seed=seed, **changes))[0]


@pytest.mark.slow
def test_the_same_distribution_is_steady() -> None:
    found = report()
    assert (found.outcome, found.fired, found.drifted) == (DriftOutcome.STEADY, False, ())
    assert found.reason == "0 of 2 columns drifted, 1 are an incident"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "column", "why"),
    [
        ({"weight": 12.0}, "weight", "psi"),
        ({"south": 0.6}, "region", "jensenshannon"),
    ],
)
def test_a_planted_shift_is_found_in_its_column(
    changes: dict[str, float], column: str, why: str
) -> None:
    found = report(**changes)
    assert found.fired
    assert found.drifted == (column,)
    assert why in found.reason


@pytest.mark.slow
def test_values_that_stay_away_are_an_outage_that_teaches_nothing() -> None:
    found = report(silent=0.4)
    assert (found.outcome, found.drifted) == (DriftOutcome.OUTAGE, ("weight",))
    assert "missing 0.0% -> " in found.reason
    assert found.fired
    assert not found.teaches


@pytest.mark.slow
def test_a_column_that_fell_silent_is_found() -> None:
    found = report(silent=1.0)
    (row,) = (row for row in found.rows if row.column == "weight")
    assert (found.outcome, row.value, row.limit) == (DriftOutcome.OUTAGE, None, None)


def test_requests_that_stay_away_are_an_outage() -> None:
    found, _ = judge_drift(
        parcels(), REFERENCE, features(1000, seed=1), usual_rows=[2400, 2600, 2500]
    )
    assert found.outcome is DriftOutcome.OUTAGE
    assert found.reason == (
        "the window has 1000 answers, -60% of the usual 2500, tolerated -50% "
        "(monitoring.max_volume_drop)"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight", "outcome"),
    [(0.5, DriftOutcome.DRIFTED), (0.04, DriftOutcome.HARMLESS), (0.0, DriftOutcome.HARMLESS)],
)
def test_drift_counts_by_what_the_model_gained_by_the_column(
    weight: float, outcome: DriftOutcome
) -> None:
    found, _ = judge_drift(
        parcels(),
        REFERENCE,
        features(1000, seed=1, weight=14.0),
        importance={"weight": weight, "region": 1 - weight},
    )
    assert (found.outcome, found.importance, found.drifted) == (outcome, weight, ("weight",))
    assert found.teaches == (outcome is DriftOutcome.DRIFTED)


@pytest.mark.slow
def test_a_model_that_cannot_say_what_it_reads_is_felt_by_every_column() -> None:
    nothing = {"weight": 0.0, "region": 0.0}
    moved = features(1000, seed=1, weight=14.0)
    found, _ = judge_drift(parcels(), REFERENCE, moved, importance=nothing)
    assert found.outcome is DriftOutcome.DRIFTED


@pytest.mark.slow
def test_fewer_columns_than_the_contract_asks_for_are_no_incident() -> None:
    contract = parcels(drifted_columns=2)
    found, _ = judge_drift(contract, REFERENCE, features(1000, seed=1, weight=12.0))
    assert (found.drifted, found.fired) == (("weight",), False)
    assert found.reason.startswith("1 of 2 columns drifted, 2 are an incident; weight: psi")


@pytest.mark.parametrize("rows", [0, 499])
def test_too_few_rows_say_nothing(rows: int) -> None:
    found = report(rows, weight=99.0)
    assert (found.outcome, found.fired, found.rows) == (DriftOutcome.INCONCLUSIVE, False, ())
    assert found.reason == f"the window has {rows} rows < 500 (monitoring.min_rows)"


def test_a_small_reference_says_nothing() -> None:
    found, page = judge_drift(parcels(), features(10, seed=0), features(1000, seed=1))
    assert found.reason == "the reference has 10 rows < 500 (monitoring.min_rows)"
    assert page == b""


def test_a_watched_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(MonitoringError, match="the window lacks the watched columns weight"):
        judge_drift(parcels(), REFERENCE, features(1000, seed=1).drop(columns="weight"))


@pytest.mark.slow
def test_drifting_predictions_are_an_incident_though_no_column_drifted() -> None:
    chance = np.random.default_rng(5)
    found, page = judge_drift(
        parcels(),
        REFERENCE,
        features(1000, seed=1),
        reference_scores=chance.beta(2, 8, 5000),
        current_scores=chance.beta(4, 6, 1000),
    )
    assert (found.fired, found.drifted) == (True, ())
    assert "predictions: psi" in found.reason
    assert len(page) > 100_000


@pytest.mark.slow
def test_a_report_survives_its_json() -> None:
    found = report(silent=0.2)
    assert read_drift(drift_json(found)) == found


def test_what_is_no_report_is_an_error() -> None:
    with pytest.raises(MonitoringError, match="this is no drift report"):
        read_drift(b"{}")


def test_predictions_of_one_distribution_are_steady() -> None:
    chance = np.random.default_rng(5)
    row = judge_predictions(parcels(), chance.random(5000), chance.random(500))
    assert not row.drifted
    assert row.value is not None
    assert row.value < 0.06


@pytest.mark.parametrize("scores", [np.array([]), np.array([0.5, np.nan])])
def test_scores_that_are_no_numbers_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(MonitoringError, match="the current scores"):
        judge_predictions(parcels(), np.array([0.5]), scores)
