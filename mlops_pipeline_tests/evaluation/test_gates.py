import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import (
    Estimate,
    FairnessResult,
    GroupRate,
    MetricResult,
    SliceResult,
    SliceStatus,
)
from mlops_pipeline.evaluation.verdict import GateResult, Kind, Verdict, gate_json, read_gate
from mlops_pipeline_tests.evaluation.cases import FLOOR, GOOD_USE, contract, evaluated, report, rows

NOTHING = Estimate(None, None, None)


def sliced(value: str, harm_p: float | None, **changes: Any) -> SliceResult:
    """A slice of 300 rows."""
    whole = SliceResult(
        by="shop",
        value=value,
        metric="log_loss",
        margin=0.05,
        status=SliceStatus.EVALUATED,
        rows=300,
        positives=80,
        gain=Estimate(-0.08, -0.1, -0.06),
        harm_p=harm_p,
    )
    return replace(whole, **changes)


def texts(result: GateResult) -> str:
    """The reasons, one a line."""
    return "\n".join(reason.text for reason in result.reasons)


def test_all_proven_is_promoted_with_the_proof_as_reasons() -> None:
    result = judge(contract(), report())
    assert result.verdict is Verdict.PROMOTE
    assert texts(result).splitlines() == [
        "roc_auc is 0.7000 [0.6800, 0.7200]; asked is at least 0.6: met",
        "log_loss against champion v3: gain +0.0200 [+0.0100, +0.0300], allowed loss 0.01: "
        "superior",
    ]


def test_an_undecided_criterion_holds_and_says_how_many_rows_would_decide() -> None:
    result = judge(contract(), report(gain=Estimate(0.0, -0.02, 0.02)))
    assert result.verdict is Verdict.HOLD
    assert texts(result).endswith("inconclusive; about 3,000 more rows (90 days) would decide")


def test_a_value_at_its_bound_holds_without_a_promise_of_rows() -> None:
    result = judge(contract(), report(gain=Estimate(-0.01, -0.02, 0.0)))
    assert result.verdict is Verdict.HOLD
    assert texts(result).endswith("more rows will hardly decide it")


def test_a_proven_loss_rejects_even_beside_something_undecided() -> None:
    result = judge(
        contract(), report(auc=Estimate(0.6, 0.58, 0.62), gain=Estimate(-0.03, -0.04, -0.02))
    )
    assert result.verdict is Verdict.REJECT
    assert [reason.outcome for reason in result.reasons] == [Outcome.INFERIOR]


def test_a_missed_floor_rejects() -> None:
    result = judge(contract(), report(auc=Estimate(0.55, 0.52, 0.58)))
    assert result.verdict is Verdict.REJECT
    assert "asked is at least 0.6: missed" in texts(result)


def test_a_gain_that_is_too_good_holds_for_a_person() -> None:
    result = judge(contract(), report(gain=Estimate(0.2, 0.18, 0.22)))
    assert result.verdict is Verdict.HOLD
    assert "more than the 0.15 that is believed unseen: look for a leak" in texts(result)


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_metric_that_is_not_finite_is_an_error(value: float | None) -> None:
    result = judge(contract(), report(auc=Estimate(value, value, value)))
    assert result.verdict is Verdict.ERROR
    assert [reason.outcome for reason in result.reasons] == [Outcome.MISSING]


def test_a_metric_that_is_absent_is_an_error() -> None:
    assert judge(contract(), report(metrics={})).verdict is Verdict.ERROR


def test_a_first_version_passes_by_its_absolute_bounds_alone() -> None:
    result = judge(contract(), report(first=True))
    assert result.verdict is Verdict.PROMOTE
    assert result.first_version
    assert [reason.subject for reason in result.reasons] == ["roc_auc"]
    assert Outcome.NO_BASELINE in {finding.outcome for finding in result.findings}


def test_a_first_version_without_absolute_bounds_has_proven_nothing() -> None:
    asked = contract({"metric": "log_loss", "margin": 0.01})
    result = judge(asked, report(first=True))
    assert result.verdict is Verdict.HOLD
    assert "nothing was proven" in texts(result)


def test_a_slice_vetoes_only_where_harm_stays_proven_among_all_that_were_looked_at() -> None:
    asked = contract(slices=[{"by": "shop", "margin": 0.05}])
    alone = judge(asked, report(slices=(sliced("a", 0.02),)))
    assert alone.verdict is Verdict.REJECT
    assert "shop = a: log_loss gain -0.0800 [-0.1000, -0.0600] on 300 rows, proven" in texts(alone)
    among = (sliced("a", 0.02), sliced("b", 0.9), sliced("c", 0.9))
    assert judge(asked, report(slices=among)).verdict is Verdict.PROMOTE  # 3 x 0.02 > 0.05


@pytest.mark.parametrize(
    ("status", "verdict", "outcome"),
    [
        (SliceStatus.TOO_SMALL, Verdict.PROMOTE, Outcome.NOT_EVALUATED),
        (SliceStatus.NO_BASELINE, Verdict.PROMOTE, Outcome.NO_BASELINE),
        (SliceStatus.MISSING, Verdict.ERROR, Outcome.MISSING),
    ],
)
def test_a_slice_that_was_not_compared_is_told(
    status: SliceStatus, verdict: Verdict, outcome: Outcome
) -> None:
    asked = contract(slices=[{"by": "shop", "margin": 0.05}])
    result = judge(asked, report(slices=(sliced("a", None, status=status),)))
    assert result.verdict is verdict
    assert [f.outcome for f in result.findings if f.kind is Kind.SLICE] == [outcome]


def test_a_declared_slice_that_the_report_does_not_hold_is_an_error() -> None:
    result = judge(contract(slices=[{"by": "shop", "margin": 0.05}]), report())
    assert result.verdict is Verdict.ERROR
    assert texts(result).startswith("shop: the contract asks for it")


@pytest.mark.parametrize(
    ("gap", "severity", "verdict"),
    [
        (Estimate(0.05, 0.01, 0.09), "error", Verdict.PROMOTE),
        (Estimate(0.11, 0.05, 0.15), "error", Verdict.HOLD),
        (Estimate(0.2, 0.15, 0.25), "error", Verdict.REJECT),
        (NOTHING, "error", Verdict.HOLD),
        (Estimate(0.2, 0.15, 0.25), "warn", Verdict.PROMOTE),
        (NOTHING, "warn", Verdict.PROMOTE),
    ],
)
def test_a_fairness_gap_binds_by_its_severity(
    gap: Estimate, severity: str, verdict: Verdict
) -> None:
    declared = {"by": "shop", "metric": "selection_rate", "max_gap": 0.1, "severity": severity}
    result = FairnessResult(
        by="shop",
        metric="selection_rate",
        max_gap=0.1,
        severity=severity,
        groups=(GroupRate("a", 900, 0.3), GroupRate("b", 900, 0.3 if gap.value else None)),
        gap=gap,
        between=("a", "b") if gap.value else None,
    )
    judged = judge(contract(fairness=[declared]), report(fairness=(result,)))
    assert judged.verdict is verdict


@pytest.mark.parametrize("severity", ["error", "warn"])
def test_a_declared_gap_that_was_not_measured_is_an_error(severity: str) -> None:
    declared = {"by": "shop", "metric": "selection_rate", "max_gap": 0.1, "severity": severity}
    assert judge(contract(fairness=[declared]), report()).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"single_row_p99_ms": 51.0}, "single-row p99: 51 ms > 50 ms"),
        ({"bundle_mib": 101.0}, "bundle size: 101 MiB > 100 MiB"),
        ({"load_seconds": 11.0}, "load time: 11 s > 10 s"),
        (
            {"single_row_p99_ms": 51.0, "probes": 3, "single_row_p99_range": (49.0, 80.0)},
            "single-row p99: 51 ms > 50 ms (median of 3, 49 to 80)",
        ),
        ({"largest_difference": 0.5}, "stored predictions differ: 0.5 > 1e-06"),
        ({"refuses_bad_input": False}, "bad input: a row of the wrong width was answered"),
    ],
)
def test_a_budget_that_is_broken_rejects(change: dict[str, Any], text: str) -> None:
    result = judge(contract(), report(resources=replace(GOOD_USE, **change)))
    assert result.verdict is Verdict.REJECT
    assert texts(result).startswith(text)


def test_resources_that_were_not_measured_are_an_error() -> None:
    assert judge(contract(), report(resources=None)).verdict is Verdict.ERROR


def test_a_report_on_another_model_is_not_judged() -> None:
    with pytest.raises(EvaluationError, match=r"'parcels' cannot be judged by .* 'visits'"):
        judge(contract(), report(model="parcels"))


def test_a_result_reads_back_as_it_was_written() -> None:
    result = judge(contract(), report())
    assert read_gate(gate_json(result)) == result
    with pytest.raises(EvaluationError, match="this is no gate result"):
        read_gate(b"[]")


@settings(max_examples=60)
@given(
    value=st.one_of(st.none(), st.floats(-1, 1)),
    below=st.floats(0, 1),
    above=st.floats(0, 1),
    interval=st.booleans(),
)
def test_only_proof_promotes(
    value: float | None, below: float, above: float, interval: bool
) -> None:
    gain = (
        Estimate(value, value - below, value + above)
        if interval and value is not None
        else Estimate(value, None, None)
    )
    verdict = judge(contract(), report(gain=gain)).verdict
    proven = gain.low is not None and gain.low > -0.01 and (value or 0) <= 0.15
    assert (verdict is Verdict.PROMOTE) == proven


@pytest.mark.parametrize("seed", range(5))
def test_the_champion_against_itself_is_never_rejected(seed: int) -> None:
    judged, truth = rows(seed=seed)
    chance = np.random.default_rng(seed)
    asked = contract(
        {"metric": "log_loss", "margin": 0.001},
        {"metric": "roc_auc", "margin": 0.001},
        {"metric": "f1", "margin": 0.001},
        slices=[{"by": "shop", "margin": 0.001, "min_rows": 50, "min_positives": 5}],
    )
    cuts = {"shop": chance.choice(["a", "b", "c"], 1500)}
    result = judge(asked, evaluated(asked, truth, truth, cuts=cuts, judged=judged))
    assert result.verdict is Verdict.PROMOTE
    assert {r.outcome for r in result.reasons} == {Outcome.NON_INFERIOR}


def test_labels_that_were_shuffled_before_the_fit_are_rejected() -> None:
    judged, truth = rows()
    unlearnt = np.full(1500, float(judged.labels.mean()))
    result = judge(contract(), evaluated(contract(), unlearnt, truth))
    assert result.verdict is Verdict.REJECT


def test_the_same_gain_is_decided_once_there_are_enough_rows() -> None:
    verdicts = []
    for count in (150, 40_000):
        judged, truth = rows(count)
        near = np.clip(truth * 0.98 + 0.01, 0, 1)
        asked = contract(FLOOR, {"metric": "log_loss", "margin": 0.0005})
        verdicts.append(judge(asked, evaluated(asked, near, truth, judged=judged)).verdict)
    assert verdicts == [Verdict.HOLD, Verdict.PROMOTE]


def test_a_metric_of_the_champion_alone_is_missing() -> None:
    known = MetricResult(Estimate(0.4, 0.3, 0.5), None, None)
    auc = MetricResult(Estimate(0.7, 0.68, 0.72), None, None)
    result = judge(contract(), report(metrics={"log_loss": known, "roc_auc": auc}))
    assert result.verdict is Verdict.ERROR
