import numpy as np
import pytest

from mlops_pipeline.evaluation.records import Estimate, FairnessResult
from mlops_pipeline_tests.evaluation.cases import contract, evaluated, rows

GAP = {"by": "shop", "metric": "selection_rate", "max_gap": 0.1, "min_rows": 50}


def measured(metric: str, scores: np.ndarray, shops: np.ndarray) -> FairnessResult:
    """The one fairness result."""
    asked = contract(fairness=[{**GAP, "metric": metric}])
    return evaluated(asked, scores, None, cuts={"shop": shops}).fairness[0]


def test_rates_are_counted_over_the_rows_that_the_metric_is_about() -> None:
    judged, _ = rows()
    shops = np.array(["a", "b"], dtype=object)[np.arange(1500) % 2]
    scores = np.where(shops == "a", 0.9, 0.1)
    for metric, counted in (
        ("selection_rate", np.ones(1500, dtype=bool)),
        ("true_positive_rate", judged.labels == 1),
        ("false_positive_rate", judged.labels == 0),
    ):
        result = measured(metric, scores, shops)
        assert [(g.value, g.rate) for g in result.groups] == [("a", 1.0), ("b", 0.0), ("c", None)]
        assert result.groups[0].rows == int((counted & (shops == "a")).sum())
        assert result.between == ("a", "b")
        assert result.gap == Estimate(1.0, 1.0, 1.0)


def test_a_small_group_is_shown_without_a_rate_and_makes_no_gap() -> None:
    shops = np.full(1500, "a", dtype=object)
    shops[:40] = "b"
    result = measured("selection_rate", np.where(shops == "b", 0.9, 0.1), shops)
    assert [(g.value, g.rows, g.rate) for g in result.groups] == [
        ("a", 1460, 0.0),
        ("b", 40, None),
        ("c", 0, None),
    ]
    assert result.gap == Estimate(None, None, None)
    assert result.between is None


def test_the_gap_between_equal_groups_has_an_interval_that_holds_nothing_large() -> None:
    _, truth = rows()
    shops = np.random.default_rng(1).choice(np.array(["a", "b", "c"], dtype=object), 1500)
    gap = measured("selection_rate", truth, shops).gap
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < 0.05 < gap.high < 0.2


def test_groups_that_were_not_given_are_missing() -> None:
    _, truth = rows()
    result = evaluated(contract(fairness=[GAP]), truth, None).fairness[0]
    assert result.groups == ()
    assert result.gap == Estimate(None, None, None)


def test_calibration_is_how_much_more_was_foretold_than_came_true() -> None:
    judged, truth = rows()
    shops = np.array(["a", "b"], dtype=object)[np.arange(1500) % 2]
    bold = np.where(shops == "a", np.minimum(truth + 0.2, 1.0), truth)
    result = measured("calibration", bold, shops)
    for group, rows_of in ((result.groups[0], shops == "a"), (result.groups[1], shops == "b")):
        off = bold[rows_of].mean() - judged.labels[rows_of].mean()
        assert group.rate == pytest.approx(off)
    assert result.between == ("a", "b")
    assert result.gap.low is not None
    assert 0.1 < result.gap.low < (result.gap.value or 0) < (result.gap.high or 0) < 0.3


def test_groups_that_err_in_opposite_ways_are_the_farther_apart() -> None:
    _, truth = rows()
    shops = np.array(["a", "b"], dtype=object)[np.arange(1500) % 2]
    opposite = np.clip(truth + np.where(shops == "a", 0.15, -0.15), 0, 1)
    apart = measured("calibration", opposite, shops).gap.value or 0
    alike = measured("calibration", np.clip(truth + 0.15, 0, 1), shops).gap.value or 0
    assert apart > 0.2 > alike
