"""What must be true of every verdict, whatever the numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.evaluation.estimates import estimate
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric, gain
from mlops_pipeline.evaluation.measures import METRICS, measure
from mlops_pipeline.evaluation.outcomes import Outcome, against_bounds, against_champion
from mlops_pipeline.evaluation.records import Estimate
from mlops_pipeline.evaluation.verdict import EFFECT, Verdict
from mlops_pipeline_tests.evaluation.cases import FLOOR, contract, evaluated, report, rows

PASSES = {Outcome.SUPERIOR, Outcome.NON_INFERIOR}
DECIDED = {*PASSES, Outcome.INFERIOR}
values = st.floats(-1, 1, allow_nan=False)
widths = st.floats(0, 1)
margins = st.floats(0.001, 0.5)
ORDER = list(Verdict)


def around(value: float, below: float, above: float) -> Estimate:
    """An estimate with that interval."""
    return Estimate(value, value - below, value + above)


@given(value=values, below=widths, above=widths, margin=margins, shrink=st.floats(0, 1))
def test_an_interval_that_shrinks_can_only_become_more_decided(
    value: float, below: float, above: float, margin: float, shrink: float
) -> None:
    wide = against_champion(around(value, below, above), margin)
    near = against_champion(around(value, below * shrink, above * shrink), margin)
    if wide in DECIDED:
        assert near in DECIDED
        assert (near in PASSES) == (wide in PASSES)
    if wide is Outcome.SUPERIOR:
        assert near is Outcome.SUPERIOR


@given(value=values, below=widths, above=widths, margin=margins)
def test_swapping_the_roles_mirrors_the_verdict(
    value: float, below: float, above: float, margin: float
) -> None:
    one = against_champion(around(value, below, above), margin)
    other = against_champion(around(-value, above, below), margin)
    if one is Outcome.INFERIOR:
        assert other is Outcome.SUPERIOR
    if one is Outcome.SUPERIOR:
        assert (other in PASSES) == (-value - above > -margin)


@given(value=values, below=widths, above=widths, margin=margins, slack=st.floats(0, 1))
def test_a_larger_margin_never_turns_a_pass_into_a_fail(
    value: float, below: float, above: float, margin: float, slack: float
) -> None:
    tight = against_champion(around(value, below, above), margin)
    loose = against_champion(around(value, below, above), margin + slack)
    if tight in PASSES:
        assert loose in PASSES
    if loose is Outcome.INFERIOR:
        assert tight is Outcome.INFERIOR


@given(value=values, below=widths, above=widths, better=st.floats(0, 1), margin=margins)
def test_a_candidate_that_is_better_throughout_is_judged_no_worse(
    value: float, below: float, above: float, better: float, margin: float
) -> None:
    gains = [around(value, below, above), around(value + better, below, above)]
    worse, best = (ORDER.index(EFFECT[against_champion(g, margin)] or Verdict.HOLD) for g in gains)
    assert best <= worse


@given(
    bad=st.sampled_from([math.nan, math.inf, -math.inf, None]),
    margin=margins,
    floor=st.floats(-1, 1),
)
def test_what_is_not_finite_never_passes(bad: float | None, margin: float, floor: float) -> None:
    assert against_champion(Estimate(bad, bad, bad), margin) is Outcome.MISSING
    assert against_bounds(Estimate(bad, bad, bad), floor, None) is Outcome.MISSING
    assert judge(contract(), report(gain=Estimate(bad, bad, bad))).verdict is Verdict.ERROR


@given(value=values, below=widths, above=widths, floor=values, lower=st.floats(0, 1))
def test_a_lower_floor_never_turns_met_into_missed(
    value: float, below: float, above: float, floor: float, lower: float
) -> None:
    found = around(value, below, above)
    if against_bounds(found, floor, None) is Outcome.MET:
        assert against_bounds(found, floor - lower, None) is Outcome.MET


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER.keys() & METRICS.keys()))
def test_swapping_the_models_mirrors_every_paired_interval(metric: str) -> None:
    judged, truth = rows(800, days=40)
    other = np.clip(truth + np.random.default_rng(1).normal(size=800) * 0.1, 0.001, 0.999)
    draws = draw_groups(judged.groups, resamples=400, seed=3)
    drawn = {id(s): draw_metric(metric, draws, judged.labels, s, 0.5) for s in (truth, other)}
    point = {id(s): measure(metric, judged.labels, s, 0.5) for s in (truth, other)}

    def compared(one: np.ndarray, two: np.ndarray) -> Estimate:
        return estimate(
            float(gain(metric, point[id(one)], point[id(two)])),
            gain(metric, drawn[id(one)], drawn[id(two)]),
            draws,
            0.9,
        )

    ahead, behind = compared(truth, other), compared(other, truth)
    assert (ahead.value, ahead.low, ahead.high) == pytest.approx(
        (-(behind.value or 0), -(behind.high or 0), -(behind.low or 0))
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), metric=st.sampled_from(["roc_auc", "log_loss", "brier", "f1"]))
def test_the_champion_against_itself_never_rejects(seed: int, metric: str) -> None:
    judged, truth = rows(400, days=12, seed=seed)
    asked = contract({"metric": metric, "margin": 0.001})
    result = judge(asked, evaluated(asked, truth, truth, judged=judged))
    assert result.verdict in (Verdict.PROMOTE, Verdict.HOLD)
    assert {f.outcome for f in result.findings if "against" in f.subject} <= {
        Outcome.NON_INFERIOR,
        Outcome.INCONCLUSIVE,
    }


@settings(max_examples=30)
@given(value=st.floats(-0.009, 0.05), wide=st.floats(0.06, 0.5))
def test_the_same_point_estimate_is_judged_by_how_sure_it_is(value: float, wide: float) -> None:
    assume(value - wide < -0.01)
    unsure = judge(contract(), report(gain=around(value, wide, wide)))
    sure = judge(contract(), report(gain=around(value, 1e-6, 1e-6)))
    assert (unsure.verdict, sure.verdict) == (Verdict.HOLD, Verdict.PROMOTE)


@given(outcomes=st.lists(st.sampled_from([-0.05, 0.0, 0.05]), min_size=2, max_size=2))
def test_the_verdict_is_the_worst_of_its_findings(outcomes: list[float]) -> None:
    auc, loss = outcomes
    asked = contract({"metric": "roc_auc", "margin": 0.01}, {"metric": "log_loss", "margin": 0.01})
    found = report(gain=around(loss, 0.001, 0.001))
    own = replace(found.metrics["roc_auc"], gain=around(auc, 0.001, 0.001))
    result = judge(asked, replace(found, metrics={**found.metrics, "roc_auc": own}))
    assert (result.verdict is Verdict.REJECT) == (min(outcomes) < -0.01)


def test_a_verdict_changes_with_the_rows_while_the_point_stays() -> None:
    judged, truth = rows(600, days=30)
    near = np.clip(truth + np.random.default_rng(0).normal(size=600) * 0.05, 0.01, 0.99)
    few = evaluated(contract(), near, truth, judged=judged).metrics["log_loss"].gain
    assert few is not None
    assert few.value is not None
    assert few.low is not None
    margin = -few.value + 0.4 * (few.value - few.low)
    asked = contract(FLOOR, {"metric": "log_loss", "margin": margin})
    found = []
    for times in (1, 60):
        many = np.tile(np.arange(600), times)
        days = np.repeat(np.arange(times), 600) * 30 + judged.groups[many]
        whole = replace(judged.only(many), groups=days)
        result = evaluated(asked, near[many], truth[many], judged=whole)
        gained = result.metrics["log_loss"].gain
        found.append((judge(asked, result).verdict, gained.value if gained else None))
    assert found[0][1] == pytest.approx(found[1][1])
    assert [verdict for verdict, _ in found] == [Verdict.HOLD, Verdict.PROMOTE]
