"""A model of numbers is evaluated, judged and shown by metrics of numbers."""

from typing import Any

import numpy as np
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.tasks import Question
from mlops_pipeline.evaluation.controls import break_slice
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.figures import figures
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric
from mlops_pipeline.evaluation.leaks import probe_leaks
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import EvaluationReport, read_report, report_json
from mlops_pipeline.evaluation.report import render_html
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.evaluation.cases import GOOD_USE

NUMBERS = ("mae", "rmse", "r2", "pinball", "quantile_coverage")
TARGET = {**tiny.CONTRACT["target"], "unit": "minutes"}


def contract(*criteria: dict[str, Any], **parts: Any) -> ModelContract:
    acceptance = {
        "choose_by": "mae",
        "resamples": 200,
        "criteria": list(criteria) or [{"metric": "mae", "at_most": 30}],
        **parts.pop("acceptance", {}),
    }
    watched = {**tiny.CONTRACT["monitoring"], "performance": [{"metric": "mae", "margin": 5}]}
    return tiny.contract(
        task="regression",
        acceptance=acceptance,
        monitoring=watched,
        **{"target": TARGET, **parts},
    )


def rows(count: int = 1500, *, days: int = 30, seed: int = 0) -> tuple[LabelledRows, np.ndarray]:
    """Rows whose days share a shift of their number, and the number's mean."""
    chance = np.random.default_rng(seed)
    day = chance.integers(0, days, count)
    mean = 50 + 30 * chance.normal(size=count)
    truth = mean + chance.normal(size=days)[day] * 3 + chance.normal(size=count) * 20
    matrix = FeatureMatrix(("mean",), mean[:, None], (0,))
    return LabelledRows(matrix, truth, day, Question("regression")), mean


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


@pytest.mark.parametrize("name", NUMBERS)
def test_a_metric_of_a_draw_is_that_of_the_rows_drawn(name: str) -> None:
    judged, mean = rows(300, days=6)
    draws = draw_groups(judged.groups, resamples=20, seed=1)

    drawn = draw_metric(name, draws, judged.labels, mean, 0.9)

    for weights, found in zip(draws.weights, drawn, strict=True):
        taken = np.repeat(np.arange(300), weights[draws.member].astype(int))
        assert found == pytest.approx(measure(name, judged.labels[taken], mean[taken], 0.9))


def test_a_report_on_numbers_holds_their_metrics_and_residuals_and_nothing_of_rates() -> None:
    judged, mean = rows()
    report = evaluated(contract(), mean, mean + 10)

    assert tuple(report.metrics) == NUMBERS
    gains = {name: found.gain and found.gain.value for name, found in report.metrics.items()}
    assert (gains["mae"] or 0) > 0
    assert (gains["r2"] or 0) > 0
    assert gains["quantile_coverage"] is None
    assert (report.positives, report.confusion, report.calibration_p) == (None, None, None)
    assert report.residuals is not None
    assert sum(report.residuals.rows) == len(judged)
    assert report.residuals.mean == pytest.approx(float(np.mean(judged.labels - mean)))
    assert len(report.reliability) == 10
    assert read_report(report_json(report)) == report


def test_a_smaller_error_is_better_and_the_verdict_tells_it_in_its_unit() -> None:
    _, mean = rows()
    asked = contract({"metric": "mae", "at_most": 30}, {"metric": "mae", "margin": 2})

    better = judge(asked, evaluated(asked, mean, mean + 15))
    worse = judge(asked, evaluated(asked, mean + 15, mean))

    assert (better.verdict, worse.verdict) == (Verdict.PROMOTE, Verdict.REJECT)
    assert "minutes, allowed loss 2 minutes: superior" in better.reasons[1].text
    assert "minutes, allowed loss 2 minutes: inferior" in worse.reasons[0].text


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_an_error(score: float) -> None:
    _, mean = rows()
    broken = np.where(np.arange(len(mean)) == 7, score, mean)

    assert judge(contract(), evaluated(contract(), broken, None)).verdict is Verdict.ERROR


def test_answers_far_outside_0_to_1_are_judged() -> None:
    _, mean = rows()

    assert judge(contract(), evaluated(contract(), mean, None)).verdict is Verdict.PROMOTE


def test_the_coverage_of_a_quantile_is_bounded_on_both_sides() -> None:
    _, mean = rows()
    asked = contract(
        {"metric": "quantile_coverage", "at_least": 0.85, "at_most": 0.95},
        {"metric": "pinball", "at_most": 5},
        target={**TARGET, "quantile": 0.9},
    )

    quantile = judge(asked, evaluated(asked, mean + 1.2816 * 20.2, None))
    middle = judge(asked, evaluated(asked, mean, None))

    assert (quantile.verdict, middle.verdict) == (Verdict.PROMOTE, Verdict.REJECT)


def test_slices_and_gaps_of_numbers_are_judged_by_their_errors() -> None:
    judged, mean = rows()
    shop = np.arange(len(mean)) % 3
    asked = contract(
        slices=[{"by": "shop", "metric": "mae", "margin": 2, "min_rows": 100}],
        fairness=[{"by": "shop", "metric": "mean_error", "max_gap": 4, "min_rows": 100}],
    )
    harmed = np.where(shop == 2, mean + 40, mean)

    report = evaluated(asked, harmed, mean, cuts={"shop": shop.astype(float)})

    vetoed = [f for f in judge(asked, report).findings if f.worst is Verdict.REJECT]
    assert {f.subject for f in vetoed} >= {"shop = c"}
    (gap,) = report.fairness
    off = [float(np.mean((harmed - judged.labels)[shop == k])) for k in range(3)]
    assert gap.gap.value == pytest.approx(max(off) - min(off))
    assert gap.between is not None
    assert gap.between[0] == "c"


def test_a_broken_slice_of_numbers_is_vetoed() -> None:
    judged, mean = rows()
    shop = np.minimum(np.arange(len(mean)) % 5, 2).astype(float)
    asked = contract(slices=[{"by": "shop", "metric": "mae", "margin": 2, "min_rows": 100}])
    broken = break_slice(asked, judged.labels, {"shop": shop}, mean)
    assert broken is not None

    subject, scores = broken
    report = evaluated(asked, scores, mean, cuts={"shop": shop})

    vetoed = [f for f in judge(asked, report).findings if f.worst is Verdict.REJECT]
    assert subject in {f.subject for f in vetoed}


def test_the_page_shows_residuals_and_no_threshold() -> None:
    _, mean = rows()
    report = evaluated(contract(), mean, mean + 1)
    gate = judge(contract(), report)

    drawn = figures(report, gate)
    page = render_html(report, gate, drawn)

    assert {"residuals", "reliability"} <= set(drawn)
    assert "<h2>Residuals</h2>" in page
    assert "minutes" in page
    assert "At the threshold" not in page
    assert "positive)" not in page


def test_a_feature_that_is_the_number_itself_is_found() -> None:
    judged, _ = rows()
    matrix = FeatureMatrix(("number",), judged.labels[:, None], (0,))
    told = LabelledRows(matrix, judged.labels, judged.groups, judged.question)

    assert [leak.where for leak in probe_leaks(told, told).found] == ["number"]
