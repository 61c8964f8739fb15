"""A version that tells classes is watched by the metrics that let it pass, from its own log."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.evaluation.measures import OF_CLASSES
from mlops_pipeline.evaluation.measures import measure as plain
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.cohort import join_labels
from mlops_pipeline.monitoring.estimate import calibrate
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.monitoring.live import LivePerformance, PerformanceOutcome
from mlops_pipeline.monitoring.performance import judge_performance
from mlops_pipeline.monitoring.weighted import measure
from mlops_pipeline_tests.models import arrival_class

START = datetime(2013, 4, 1)  # noqa: DTZ001  event times carry no zone
CONTRACT = load_contract(Path(str(arrival_class.__file__)).with_name("contract.yaml"))
CHANCE = np.random.default_rng(3)
ODDS = CHANCE.normal(0, 1.5, (900, 3))
SCORES = np.exp(ODDS) / np.exp(ODDS).sum(axis=1, keepdims=True)
LABELS = (CHANCE.random(900)[:, None] > SCORES.cumsum(axis=1)).sum(axis=1) * 1.0


def judged(labels: np.ndarray, *, estimated: bool = False) -> LivePerformance:
    joined = pd.DataFrame(
        {
            "version": "7",
            "event_time": [START + timedelta(days=n % 30) for n in range(900)],
            "score": SCORES.max(axis=1),
            "classes": SCORES.tolist(),
            "label": labels,
            "told": True,
            "corrected": False,
            "matured": True,
            "weight": 1.0,
        }
    )
    right = (SCORES.argmax(axis=1) == LABELS) * 1.0
    return judge_performance(
        CONTRACT,
        joined,
        version="7",
        as_of=START + timedelta(days=60),
        released={"accuracy": float(right.mean())},
        calibration=calibrate(SCORES.max(axis=1), right) if estimated else None,
    )


def test_every_metric_of_the_gate_is_measured_and_a_loss_beyond_the_margin_counts() -> None:
    good, bad = judged(LABELS), judged((LABELS + 1) % 3)

    assert set(good.metrics) == set(OF_CLASSES)
    assert good.metrics["log_loss"].value == pytest.approx(plain("log_loss", LABELS, SCORES, 0.5))
    assert (good.outcome, bad.outcome) == (PerformanceOutcome.HEALTHY, PerformanceOutcome.DEGRADED)
    assert "accuracy" in bad.reason
    assert bad.positives is None


def test_before_labels_only_the_share_of_right_answers_is_estimated() -> None:
    found = judged(np.full(900, np.nan), estimated=True)

    right = float((SCORES.argmax(axis=1) == LABELS).mean())
    assert found.estimated == {"accuracy": pytest.approx(right)}


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_equal_weights_change_nothing(metric: str) -> None:
    found = measure(metric, LABELS, SCORES, np.full(900, 2.5), 0.5)

    assert found == pytest.approx(plain(metric, LABELS, SCORES, 0.5))


@pytest.mark.parametrize("metric", [name for name in OF_CLASSES if name != "confidence_ece"])
def test_a_row_of_weight_three_counts_as_three(metric: str) -> None:
    times = np.random.default_rng(8).integers(1, 4, 900)
    repeated = plain(metric, np.repeat(LABELS, times), np.repeat(SCORES, times, axis=0), 0.5)

    assert measure(metric, LABELS, SCORES, times * 1.0, 0.5) == pytest.approx(repeated)


def test_a_label_is_the_place_of_a_class_and_of_one_that_there_is(tmp_path: Path) -> None:
    late = LabelRecord("a", 2.0, START, START + timedelta(days=1))
    beyond = LabelRecord("b", 3.0, START, START + timedelta(days=1))
    asked = pd.DataFrame({"id": ["a", "b"], "event_time": [START] * 2})
    inbox.append(tmp_path, [late], task="multiclass")

    joined = join_labels(CONTRACT, asked, inbox.read(tmp_path), START + timedelta(days=2))

    assert joined["label"].tolist()[0] == 2.0
    with pytest.raises(MonitoringError, match=r"is 1\.5; it is the place of a class, from 0 or nu"):
        inbox.append(tmp_path, [LabelRecord("c", 1.5, START, START)], task="multiclass")
    with pytest.raises(
        MonitoringError, match="label 3 is the place of no class; they are 0 on_time"
    ):
        join_labels(CONTRACT, asked, [late, beyond], START + timedelta(days=2))
