"""The gate is tried on known cases; where it fails one, its verdicts count for nothing."""

from dataclasses import replace

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.controls import Known, break_slice, run_controls
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import ControlResult, EvaluationReport
from mlops_pipeline.evaluation.verdict import Kind, Verdict
from mlops_pipeline_tests.evaluation.cases import FLOOR, MARGIN, contract, evaluated, report, rows

SLICED = {"by": "shop", "margin": 0.05, "min_rows": 100, "min_positives": 20}


def controls_of(
    asked: ModelContract, *, shuffled: np.ndarray | None = None
) -> dict[str, ControlResult]:
    """The controls on 1500 rows in three shops, by name."""
    judged, truth = rows()
    cuts = {"shop": np.random.default_rng(0).choice(["a", "b", "c"], 1500)}
    known = Known(truth, truth, np.full(1500, 0.3) if shuffled is None else shuffled)

    def compare(scores: np.ndarray, baseline: np.ndarray) -> EvaluationReport:
        return evaluated(asked, scores, baseline, cuts=cuts, judged=judged)

    found = run_controls(asked, known, rows=judged, cuts=cuts, compare=compare)
    return {control.name: control for control in found}


def test_a_sound_gate_rejects_what_is_broken_and_spares_the_champion() -> None:
    found = controls_of(contract(FLOOR, MARGIN, slices=[SLICED]))
    assert [control.held for control in found.values()] == [True, True, True]
    assert found["slice-broken model"].detail.startswith("shop = ")
    assert "proven to lose more than 0.05" in found["slice-broken model"].detail


def test_a_gate_that_asks_for_nothing_fails_its_controls() -> None:
    lax = {"metric": "log_loss", "margin": 5}
    blind = contract({"metric": "roc_auc", "at_least": 0.01}, lax, slices=[{**SLICED, "margin": 9}])
    found = controls_of(blind)
    assert found["label-shuffled model"].held is False
    assert found["slice-broken model"].held is False


def test_a_gate_that_hears_the_answer_in_shuffled_labels_fails_its_control() -> None:
    found = controls_of(contract(), shuffled=rows()[1])
    assert found["label-shuffled model"].held is False
    assert found["label-shuffled model"].detail.startswith("not rejected: ")


def test_a_contract_without_slices_cannot_be_tried_on_one() -> None:
    found = controls_of(contract())
    assert found["slice-broken model"].held is None


def test_the_slice_that_is_broken_is_the_largest_that_is_no_majority() -> None:
    labels = np.tile([0.0, 1.0], 500)
    shop = np.repeat(["most", "some", "few"], [600, 300, 100])
    scores = np.full(1000, 0.9)
    broken = break_slice(contract(slices=[SLICED]), labels, {"shop": shop}, scores)
    assert broken is not None
    name, turned = broken
    assert name == "shop = some"
    assert (turned[600:900] < 0.2).all()
    assert (np.delete(turned, np.s_[600:900]) == 0.9).all()


def test_no_verdict_stands_beside_a_control_that_failed() -> None:
    failed = ControlResult("label-shuffled model", "rejected", False, "not rejected: met")
    result = judge(contract(), report(controls=(failed,)))
    assert result.verdict is Verdict.ERROR
    assert [reason.text for reason in result.reasons] == [
        "label-shuffled model must be rejected; it was not: not rejected: met"
    ]


def test_controls_that_held_are_told_and_decide_nothing() -> None:
    held = ControlResult("label-shuffled model", "rejected", True, "missed")
    untried = replace(held, held=None)
    result = judge(contract(), report(controls=(held, untried)))
    assert result.verdict is Verdict.PROMOTE
    assert sum(f.kind is Kind.CONTROL for f in result.findings) == 2
