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
WRONG_BINARY = {
    "a metric of numbers": (
        "{metric: roc_auc, at_least: 0.6}",
        "{metric: mae, at_most: 3}",
        "acceptance.criteria.0.metric: mae says nothing about a binary task",
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
}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_contract_may_ask_for_a_number(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, HOURS))

    assert contract.kind.answer == {"prediction": "double"}
    assert contract.bar == 0.5


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
