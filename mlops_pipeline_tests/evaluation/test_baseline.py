"""A candidate has to beat a cheap model, where the contract says so."""

from typing import Any

import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import BaselineResult, Estimate
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.evaluation.cases import FLOOR, MARGIN, report


def asked(*, beat: bool) -> ModelContract:
    """The visits' contract, which asks for a better model than a linear one, or not."""
    acceptance: dict[str, Any] = {"criteria": [FLOOR, MARGIN], "resamples": 200}
    return tiny.contract(acceptance={**acceptance, "beat_linear": "log_loss" if beat else None})


def beside(value: float, half: float) -> BaselineResult:
    """A gain over the linear model with that interval."""
    return BaselineResult("linear", "log_loss", 0.5, Estimate(value, value - half, value + half))


@pytest.mark.parametrize(
    ("value", "half", "verdict"),
    [
        (0.02, 0.01, Verdict.PROMOTE),  # proven better
        (0.02, 0.05, Verdict.PROMOTE),  # ahead, too few rows to prove it
        (-0.02, 0.05, Verdict.HOLD),  # behind, perhaps by chance
        (-0.02, 0.01, Verdict.REJECT),  # a cheap model is better
    ],
)
def test_a_cheap_model_must_not_be_better(value: float, half: float, verdict: Verdict) -> None:
    found = report(baseline=beside(value, half))
    assert judge(asked(beat=True), found).verdict is verdict
    assert judge(asked(beat=False), found).verdict is Verdict.PROMOTE


def test_a_baseline_that_was_not_measured_is_an_error_where_it_is_asked_for() -> None:
    assert judge(asked(beat=True), report()).verdict is Verdict.ERROR
    assert judge(asked(beat=False), report()).verdict is Verdict.PROMOTE
