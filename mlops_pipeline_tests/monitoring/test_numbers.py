"""A version that says numbers is watched by its errors, and nothing is estimated before labels."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.components.shown import performance_metadata
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.cohort import join_labels
from mlops_pipeline.monitoring.drift import judge_predictions
from mlops_pipeline.monitoring.estimate import UNESTIMATED
from mlops_pipeline.monitoring.firing import Firing
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.monitoring.live import LivePerformance, PerformanceOutcome
from mlops_pipeline.monitoring.performance import judge_performance
from mlops_pipeline_tests.models import arrival_delay

START = datetime(2013, 4, 1)  # noqa: DTZ001  event times carry no zone
CONTRACT = load_contract(Path(str(arrival_delay.__file__)).with_name("contract.yaml"))


def judged(off: float, *, count: int = 900, weights: np.ndarray | None = None) -> LivePerformance:
    """What answers are worth that lie `off` minutes and noise of 10 beside the truth."""
    chance = np.random.default_rng(3)
    truth = chance.normal(20, 40, count)
    joined = pd.DataFrame(
        {
            "version": "7",
            "event_time": [START + timedelta(days=n % 30) for n in range(count)],
            "score": truth + off + chance.normal(0, 10, count),
            "label": truth,
            "told": True,
            "corrected": False,
            "matured": True,
            "weight": np.ones(count) if weights is None else weights,
        }
    )
    released = {"mae": 8.0}
    return judge_performance(
        CONTRACT, joined, version="7", as_of=START + timedelta(days=60), released=released
    )


def test_the_metrics_are_those_of_numbers_and_an_error_beyond_the_margin_counts() -> None:
    good, bad = judged(0), judged(30)

    assert tuple(good.metrics) == ("mae", "rmse", "r2", "pinball", "quantile_coverage")
    assert good.outcome is PerformanceOutcome.HEALTHY
    assert bad.outcome is PerformanceOutcome.DEGRADED
    assert "mae 30" in bad.reason
    assert (bad.positives, bad.estimated) == (None, None)


def test_nothing_is_estimated_before_the_labels_and_the_metadata_says_why() -> None:
    shown = performance_metadata(judged(0), Firing(False, (), "0 of 1"), "0" * 64)

    assert shown["an estimate assumes"] == UNESTIMATED


def test_weighted_rows_count_by_their_weights() -> None:
    twice = np.where(np.arange(900) % 3 == 0, 2.0, 1.0)

    found, plain = judged(5, weights=twice), judged(5)

    assert found.metrics["mae"].value != plain.metrics["mae"].value
    assert found.metrics["mae"].value == pytest.approx(plain.metrics["mae"].value or 0, abs=0.5)


def test_labels_of_numbers_are_any_finite_ones_held_within_the_targets_limits(
    tmp_path: Path,
) -> None:
    told = [
        LabelRecord("a", 900.0, START, START + timedelta(days=1)),
        LabelRecord("b", -31.5, START, START + timedelta(days=1)),
        LabelRecord("c", 12.25, START, START + timedelta(days=1)),
    ]
    inbox.append(tmp_path, told, task="regression")
    asked = pd.DataFrame({"id": ["a", "b", "c", "d"], "event_time": [START] * 4})

    joined = join_labels(CONTRACT, asked, inbox.read(tmp_path), START + timedelta(days=2))

    assert joined["label"].tolist()[:3] == [180.0, -30.0, 12.25]
    assert joined["told"].tolist() == [True, True, True, False]
    with pytest.raises(MonitoringError, match=r"is inf; it is a finite number or null"):
        inbox.append(tmp_path, [LabelRecord("e", float("inf"), START, START)], task="regression")
    with pytest.raises(MonitoringError, match=r"is 12\.25; it is 0, 1 or null"):
        inbox.append(tmp_path, told[2:])


def test_the_distribution_of_numbers_is_watched_in_any_unit() -> None:
    chance = np.random.default_rng(5)
    before, same, moved = (chance.normal(mean, 40, 3000) for mean in (20, 20, 80))

    assert not judge_predictions(CONTRACT, before, same).drifted
    assert judge_predictions(CONTRACT, before, moved).drifted
