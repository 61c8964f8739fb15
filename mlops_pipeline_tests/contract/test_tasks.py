"""A contract promises what its task can be asked for, and its target is of that task."""

import re
from pathlib import Path

import pytest

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER, TASKS, Task
from mlops_pipeline.errors import ContractError
from mlops_pipeline_tests.contract.rows import SMALL

HOURS = SMALL
for good, said in (
    ("task: binary", "task: regression"),
    ("column: hours_late, above: 0,", "column: hours_late, above: 0, unit: hours,"),
    ("  criteria:\n", "  choose_by: mae\n  criteria:\n"),
    ("{metric: roc_auc, at_least: 0.6}", "{metric: r2, at_least: 0.1}"),
    ("{by: region, margin: 0.05}", "{by: region, metric: mae, margin: 0.5}"),
    ("monitoring:\n", "monitoring:\n  performance:\n    - {metric: mae, margin: 1}\n"),
):
    assert HOURS.count(good) == 1
    HOURS = HOURS.replace(good, said)

WRONG = {
    "a binary metric": (
        "{metric: r2, at_least: 0.1}",
        "{metric: roc_auc, at_least: 0.6}",
        "acceptance.criteria.0.metric: roc_auc says nothing about a regression task; its metrics: "
        "mae, rmse, r2, pinball, quantile_coverage",
    ),
    "a slice by a binary metric": (
        "metric: mae, margin: 0.5",
        "metric: log_loss, margin: 0.5",
        "slices.0.metric: log_loss says nothing about a regression task",
    ),
    "a choice by a binary metric": (
        "choose_by: mae",
        "choose_by: brier",
        "acceptance.choose_by: brier says nothing about a regression task",
    ),
    "a live bound on a binary metric": (
        "{metric: mae, margin: 1}",
        "{metric: roc_auc, margin: 0.1}",
        "monitoring.performance.0.metric: roc_auc says nothing about a regression task",
    ),
    "a margin on a coverage": (
        "{metric: r2, at_least: 0.1}",
        "{metric: quantile_coverage, margin: 0.1}",
        "acceptance.criteria.0.metric: quantile_coverage is neither better high nor low: "
        "bound it by at_least and at_most",
    ),
    "a quantile of one": (
        "above: 0, unit: hours",
        "above: 0, quantile: 1.0",
        "target.quantile: Input should be less than 1; got 1.0",
    ),
    "a quantile of nothing": (
        "above: 0, unit: hours",
        "above: 0, quantile: 0",
        "target.quantile: Input should be greater than 0; got 0",
    ),
    "limits turned round": (
        "above: 0, unit: hours",
        "above: 0, lowest: 9, highest: 2",
        "target.lowest: lowest 9 must be below highest 2",
    ),
    "history that counts nothing": (
        "above: 0, unit: hours",
        "unit: hours",
        "target: history features count rows whose outcome lies above a bound: say above",
    ),
    "mistakes in a rollout": (
        "rollout:\n",
        "rollout:\n  bake_minutes: 5\n  labels: {max_wrong: 0.3}\n",
        "rollout.labels: a regression answer is neither right nor wrong: "
        "its mistakes cannot be counted",
    ),
    "what a mistake costs": (
        "monitoring:\n",
        "monitoring:\n  cost: {false_yes: 2}\n",
        "monitoring.cost: a regression answer is neither right nor wrong: it has no cost of either",
    ),
    "compiled trees": (
        "trainer: lightgbm,",
        "trainer: lightgbm, compiled: true,",
        "candidates.0.compiled: only trees of yes or no are compiled, not of a regression",
    ),
    "a text for a number": (
        "column: hours_late,",
        "column: region,",
        "target.column: 'region' must be a number or an integer",
    ),
}
REGION = SMALL  # what region a parcel belongs to, from its weight
for good, said in (
    ("task: binary", "task: multiclass"),
    ("categories: [north, south]}", "categories: [north, south, east], available: outcome}"),
    ("column: hours_late, above: 0,", "column: region,"),
    ("    - {kind: category, name: region, inputs: [region]}\n", ""),
    ("    - {kind: history, name: region_late, keys: [region], days: 28}\n", ""),
    ("{metric: roc_auc, at_least: 0.6}", "{metric: macro_f1, at_least: 0.1}"),
    ("monitoring:\n", "monitoring:\n  performance:\n    - {metric: accuracy, margin: 0.1}\n"),
    ("{by: region, margin: 0.05}", "{by: weight, bins: [0, 9], metric: accuracy, margin: 0.5}"),
):
    assert REGION.count(good) == 1
    REGION = REGION.replace(good, said)
BANDS = REGION.replace(
    "column: region,", "column: hours_late, classes: [early, late, lost], bounds: [0, 24],"
)
WRONG_CLASSES = {
    "two classes": (
        "categories: [north, south, east]",
        "categories: [north, south]",
        "target: 2 classes; a multiclass task has at least 3",
    ),
    "a class that is no category": (
        "column: region,",
        "column: region, classes: [north, south, east, up],",
        "target.classes.3: 'up' is no category of 'region'",
    ),
    "a class left out": (
        "column: region,",
        "column: region, classes: [north, south, south],",
        "target.classes: category 'east' of 'region' is missing",
    ),
    "bounds of a category": (
        "column: region,",
        "column: region, bounds: [1, 2],",
        "target.bounds: 'region' is no number: its classes have no bounds",
    ),
    "what lies above a category": (
        "column: region,",
        "column: region, above: 1,",
        "target.above: 'region' is no number: nothing lies above",
    ),
    "a threshold": (
        "acceptance:\n",
        "acceptance:\n  threshold: 0.4\n",
        "acceptance.threshold: a multiclass answer is its likeliest class: it has no threshold",
    ),
    "a metric of yes or no": (
        "metric: macro_f1",
        "metric: f1",
        "acceptance.criteria.0.metric: f1 says nothing about a multiclass task; its metrics: "
        "accuracy, macro_f1, log_loss, multiclass_brier, macro_roc_auc, confidence_ece",
    ),
    "a cost of yes": (
        "monitoring:\n",
        "monitoring:\n  cost: {false_yes: 2}\n",
        "monitoring.cost: a multiclass answer is neither yes nor no: it has no cost of either",
    ),
    "compiled trees": (
        "trainer: lightgbm,",
        "trainer: lightgbm, compiled: true,",
        "candidates.0.compiled: only trees of yes or no are compiled, not of a multiclass",
    ),
    "a quantile": (
        "column: region,",
        "column: region, quantile: 0.9,",
        "target.quantile: a multiclass task has no use for quantile",
    ),
}
WRONG_BANDS = {
    "classes named twice": (
        "[early, late, lost]",
        "[early, late, early]",
        "target.classes.2: 'early' is listed twice",
    ),
    "a number without bounds": (
        "bounds: [0, 24],",
        "",
        "target: 'hours_late' is a number: bounds tell its classes apart",
    ),
    "as many bounds as classes": (
        "bounds: [0, 24]",
        "bounds: [0, 24, 48]",
        "target.bounds: 3 bounds lie between 4 classes, not 3",
    ),
    "bounds that fall": (
        "bounds: [0, 24]",
        "bounds: [24, 0]",
        "target.bounds: each must be above the one before",
    ),
    "history that counts nothing": (
        "{kind: number, name: weight, inputs: [weight]}",
        "{kind: history, name: late_before, keys: [weight], days: 28}",
        "target: history features count rows whose outcome lies above a bound: say above",
    ),
}
WRONG_BINARY = {
    "a metric of numbers": (
        "{metric: roc_auc, at_least: 0.6}",
        "{metric: mae, at_most: 3}",
        "acceptance.criteria.0.metric: mae says nothing about a binary task",
    ),
    "classes": (
        "above: 0,",
        "above: 0, classes: [a, b, c],",
        "target.classes: a binary task has no use for classes",
    ),
    "a quantile": (
        "above: 0,",
        "above: 0, quantile: 0.9,",
        "target.quantile: a binary task has no use for quantile",
    ),
    "no bound": ("above: 0,", "", "target: a binary task needs above: yes is what lies above it"),
    "rates more than 1 apart": (
        "rollout:\n",
        "fairness:\n  - {by: region, metric: selection_rate, max_gap: 2}\nrollout:\n",
        "fairness.0.max_gap: 2: rates lie at most 1 apart",
    ),
    "a gap of errors": (
        "rollout:\n",
        "fairness:\n  - {by: region, metric: mean_error, max_gap: 0.2}\nrollout:\n",
        "fairness.0.metric: mean_error says nothing about a binary task; its gaps: selection_rate",
    ),
}
CASES = {
    **{f"regression, {name}": (HOURS, *case) for name, case in WRONG.items()},
    **{f"binary, {name}": (SMALL, *case) for name, case in WRONG_BINARY.items()},
    **{f"classes, {name}": (REGION, *case) for name, case in WRONG_CLASSES.items()},
    **{f"bands, {name}": (BANDS, *case) for name, case in WRONG_BANDS.items()},
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_may_ask_for_a_number(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, HOURS))

    assert contract.kind.answer == {"prediction": "double"}
    assert contract.bar == 0.5


@pytest.mark.parametrize(
    ("text", "classes"), [(REGION, ("north", "south", "east")), (BANDS, ("early", "late", "lost"))]
)
def test_a_contract_may_ask_which_class(tmp_path: Path, text: str, classes: tuple[str]) -> None:
    contract = load_contract(written(tmp_path, text))

    assert contract.classes == contract.question.classes == classes
    assert load_contract(written(tmp_path, SMALL)).classes == ()


@pytest.mark.parametrize(("text", "good", "bad", "said"), CASES.values(), ids=CASES)
def test_what_the_task_does_not_have_is_named_by_line_and_path(
    tmp_path: Path, text: str, good: str, bad: str, said: str
) -> None:
    assert text.count(good) == 1
    path = written(tmp_path, text.replace(good, bad))

    with pytest.raises(ContractError, match=rf"contract.yaml:\d+: {re.escape(said)}"):
        load_contract(path)


def test_a_default_that_the_task_does_not_have_must_be_written_out(tmp_path: Path) -> None:
    path = written(tmp_path, HOURS.replace("  choose_by: mae\n", ""))

    with pytest.raises(ContractError, match=r"acceptance\.choose_by: log_loss says nothing about"):
        load_contract(path)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_has_a_metric_to_choose_by_and_a_score(task: Task) -> None:
    assert set(task.metrics) & set(HIGHER_IS_BETTER)
    assert next(iter(task.answer.values())) == "double"
