"""A model of classes is evaluated, judged, controlled and shown by metrics over all classes."""

from typing import Any

import numpy as np
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.tasks import Question
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.controls import break_slice
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.figures import figures
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric
from mlops_pipeline.evaluation.leaks import probe_leaks
from mlops_pipeline.evaluation.measures import OF_CLASSES, measure
from mlops_pipeline.evaluation.records import EvaluationReport, read_report, report_json
from mlops_pipeline.evaluation.report import render_html
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.evaluation.cases import GOOD_USE

NAMES = ("low", "middle", "high")
TARGET = {**tiny.CONTRACT["target"], "classes": list(NAMES), "bounds": [0.0, 1.0]}
MARGIN = {"metric": "log_loss", "margin": 0.02}


def contract(*criteria: dict[str, Any], **parts: Any) -> ModelContract:
    acceptance = {"resamples": 200, "criteria": list(criteria) or [MARGIN]}
    bound = {"metric": "accuracy", "margin": 0.1}
    watched = {**tiny.CONTRACT["monitoring"], "performance": [bound]}
    asked = {"target": TARGET, "acceptance": acceptance, "monitoring": watched, **parts}
    return tiny.contract(task="multiclass", **asked)


def rows(count: int = 1500, *, days: int = 30, seed: int = 0) -> tuple[LabelledRows, np.ndarray]:
    """Rows, and the probabilities from which their classes were drawn."""
    chance = np.random.default_rng(seed)
    odds = chance.normal(0, 1.5, (count, 3))
    true = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    labels = (chance.random(count)[:, None] > true.cumsum(axis=1)).sum(axis=1) * 1.0
    matrix = FeatureMatrix(("odds",), odds[:, :1].copy(), (0,))
    day = chance.integers(0, days, count)
    return LabelledRows(matrix, labels, day, Question("multiclass", classes=NAMES)), true


def blurred(scores: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Scores that know less."""
    return (1 - share) * scores + share / 3


def evaluated(
    asked: ModelContract, scores: np.ndarray, champion: np.ndarray | None, **more: Any
) -> EvaluationReport:
    return evaluate(
        asked,
        candidate="trees",
        rows=rows()[0],
        cuts=more.pop("cuts", {}),
        scores=scores,
        champion_scores=champion,
        champion_version=None if champion is None else "3",
        resources=GOOD_USE,
        seed=7,
        **more,
    )


@pytest.mark.parametrize("name", [name for name in OF_CLASSES if name != "confidence_ece"])
def test_a_metric_of_a_draw_is_that_of_the_rows_drawn(name: str) -> None:
    judged, true = rows(300, days=6)
    draws = draw_groups(judged.groups, resamples=20, seed=1)

    drawn = draw_metric(name, draws, judged.labels, true, 0.5)

    for weights, found in zip(draws.weights, drawn, strict=True):
        taken = np.repeat(np.arange(300), weights[draws.member].astype(int))
        assert found == pytest.approx(measure(name, judged.labels[taken], true[taken], 0.5))


def test_a_report_on_classes_holds_their_metrics_and_who_was_taken_for_whom() -> None:
    judged, true = rows()
    report = evaluated(contract(), true, blurred(true))

    assert set(report.metrics) == set(OF_CLASSES)
    assert (report.positives, report.confusion, report.residuals) == (None, None, None)
    assert report.classes is not None
    assert report.classes.names == NAMES
    assert [sum(row) for row in report.classes.rows] == np.bincount(
        judged.labels.astype(int)
    ).tolist()
    right = sum(report.classes.rows[k][k] for k in range(3))
    assert right / len(judged) == pytest.approx(report.metrics["accuracy"].candidate.value)
    assert (report.calibration_p or 0) > 0.01
    assert read_report(report_json(report)) == report


def test_knowing_more_is_better_and_knowing_less_is_rejected() -> None:
    _, true = rows()

    better = judge(contract(), evaluated(contract(), true, blurred(true)))
    worse = judge(contract(), evaluated(contract(), blurred(true), true))

    assert (better.verdict, worse.verdict) == (Verdict.PROMOTE, Verdict.REJECT)


def test_a_slice_is_broken_by_turning_its_probabilities_round() -> None:
    judged, true = rows()
    asked = contract(slices=[{"by": "shop", "metric": "accuracy", "margin": 0.05}])
    shops = np.where(np.arange(len(judged)) % 3 == 0, "a", "b").astype(object)

    broken = break_slice(asked, judged.labels, {"shop": shops}, true)

    assert broken is not None
    name, scores = broken
    assert name == "shop = a"
    part = shops == "a"
    assert (scores[~part] == true[~part]).all()
    assert (scores[part].argmax(axis=1) == true[part].argmin(axis=1)).all()
    assert scores.sum(axis=1) == pytest.approx(np.ones(len(judged)))
    report = evaluated(asked, scores, true, cuts={"shop": shops})
    assert [s.value for s in report.slices if (s.harm_p or 1) < 0.01] == ["a"]


def test_groups_are_compared_by_how_often_they_are_answered_rightly() -> None:
    judged, true = rows()
    shops = np.where(true.max(axis=1) > 0.6, "a", "b").astype(object)
    gaps = [
        {"by": "shop", "metric": metric, "max_gap": 0.1, "min_rows": 50}
        for metric in ("accuracy", "calibration")
    ]

    found = evaluated(contract(fairness=gaps), true, None, cuts={"shop": shops}).fairness

    right = true.argmax(axis=1) == judged.labels
    rates = [right[shops == name].mean() for name in ("a", "b")]
    assert found[0].gap.value == pytest.approx(rates[0] - rates[1])
    assert (found[1].gap.value or 0) < 0.1


def test_the_page_shows_the_counts_by_class() -> None:
    _, true = rows()
    report = evaluated(contract(), true, blurred(true))
    gate = judge(contract(), report)

    page = render_html(report, gate, figures(report, gate))

    assert "happened" in page
    assert "<th>middle</th>" in page
    assert "true alarms" not in page


def test_scores_of_another_number_of_classes_cannot_be_compared() -> None:
    _, true = rows()

    with pytest.raises(
        EvaluationError, match=r"champion_scores has shape \(1500, 2\) for 1500 rows"
    ):
        evaluated(contract(), true, true[:, :2])


def test_a_feature_that_tells_the_class_is_a_leak() -> None:
    judged, _ = rows()
    matrix = FeatureMatrix(("told",), judged.labels[:, None], (0,))
    leaking = LabelledRows(matrix, judged.labels, judged.groups, judged.question)

    (leak,) = probe_leaks(leaking, leaking).found

    assert (leak.where, leak.strength > 0.95) == ("told", True)
