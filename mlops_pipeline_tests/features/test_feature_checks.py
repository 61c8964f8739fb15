"""Leaks and servers that compute otherwise are found; honest features pass."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.data.labels import label
from mlops_pipeline.data.quality import CheckOutcome
from mlops_pipeline.data.sources import conform
from mlops_pipeline.features.checks import run_feature_checks
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history
from mlops_pipeline.features.leakage import leakage_scan
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.test_sampling import many

CONTRACT = tiny.contract()
END = datetime.fromisoformat("2024-03-01")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """January and February, two thousand rows each, labels by chance."""
    second = many(2000, seed=2)
    later = second.assign(at=second["at"] + pd.Timedelta(31, "D"))
    both = pd.concat([many(2000), later[later["at"] < "2024-03-01"]], ignore_index=True)
    return conform(CONTRACT, both)


@pytest.fixture(scope="module")
def matrix(frame: pd.DataFrame) -> FeatureMatrix:
    return compute_features(CONTRACT, frame, count_history(CONTRACT, frame))


def checked(
    frame: pd.DataFrame, matrix: FeatureMatrix, **features: object
) -> dict[str, CheckOutcome]:
    contract = tiny.with_features(**features) if features else CONTRACT
    outcomes = run_feature_checks(contract, frame, matrix, end=END)
    return {outcome.name: outcome for outcome in outcomes}


def with_values(matrix: FeatureMatrix, name: str, values: np.ndarray) -> FeatureMatrix:
    changed = matrix.values.copy()
    changed[:, matrix.names.index(name)] = values
    return replace(matrix, values=changed)


def test_honest_features_pass_every_check(frame: pd.DataFrame, matrix: FeatureMatrix) -> None:
    outcomes = checked(frame, matrix)
    assert [name for name, outcome in outcomes.items() if not outcome.passed] == []
    assert "200 rows of " in outcomes["parity"].summary


@pytest.mark.parametrize("how", ["as it is", "turned", "in the middle", "by its emptiness"])
def test_a_leak_is_found_in_whatever_shape_it_hides(
    frame: pd.DataFrame, matrix: FeatureMatrix, how: str
) -> None:
    known = np.nan_to_num(label(CONTRACT, frame)) == 1
    chance = np.random.default_rng(3).random(len(frame))
    shapes = {
        "as it is": np.where(known, 1 + chance, chance),
        "turned": -np.where(known, 1 + chance, chance),
        "in the middle": np.where(known, 0.4 + 0.2 * chance, np.where(chance < 0.5, chance / 2, 1)),
        "by its emptiness": np.where(known, np.nan, chance),
    }
    outcome = checked(frame, with_values(matrix, "amount", shapes[how]))["leakage"]
    assert (outcome.passed, outcome.severity) == (False, Severity.ERROR)
    assert list(outcome.aggregated) == ["amount"]


def test_a_strong_feature_asks_a_person_unless_the_contract_knows_it(
    frame: pd.DataFrame, matrix: FeatureMatrix
) -> None:
    known = np.nan_to_num(label(CONTRACT, frame)) == 1
    chance = np.random.default_rng(3).normal(size=len(frame))
    strong = with_values(matrix, "amount", chance + 1.9 * known)
    outcomes = checked(frame, strong)
    assert outcomes["leakage"].passed
    assert (outcomes["leakage_warn"].passed, outcomes["leakage_warn"].severity) == (
        False,
        Severity.WARN,
    )
    assert checked(frame, strong, known_strong=["amount"])["leakage_warn"].passed


def test_areas_are_those_of_a_hand_count() -> None:
    values = np.array([[1.0], [2.0], [2.0], [3.0]])
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    every = np.ones(4, dtype=bool)
    (leak,) = leakage_scan(FeatureMatrix(("x",), values, (0,)), labels, every, every)
    assert leak.raw == 3.5 / 4
    assert leak.empty == 0.5


def test_one_bit_between_trained_and_served_is_found_and_named(
    frame: pd.DataFrame, matrix: FeatureMatrix
) -> None:
    rates = matrix.column("shop_3d")
    outcome = checked(frame, with_values(matrix, "shop_3d", np.nextafter(rates, 2)))["parity"]
    assert (outcome.passed, outcome.severity) == (False, Severity.ERROR)
    assert set(outcome.aggregated) == {"shop_3d"}
    assert outcome.rows[0]["feature"] == "shop_3d"


def test_features_that_knew_later_labels_are_not_what_is_served(frame: pd.DataFrame) -> None:
    delayed = tiny.contract(target={**tiny.CONTRACT["target"], "label_delay_hours": 48})
    hasty = compute_features(CONTRACT, frame, count_history(CONTRACT, frame))
    (parity,) = [
        o for o in run_feature_checks(delayed, frame, hasty, end=END) if o.name == "parity"
    ]
    assert not parity.passed
    assert set(parity.aggregated) <= {"shop_3d", "shop_hour_9d"}
