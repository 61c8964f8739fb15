"""The judge: missing evidence holds, proof against rolls back, proof for advances."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.delivery.evidence import LiveEvidence, LiveStage, ShadowEvidence, Tally
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.judge import Action, Finding, Judgement, StageEvidence, judge
from mlops_pipeline.delivery.labels import LabelEvidence
from mlops_pipeline.delivery.plan import (
    LabelPlan,
    Phase,
    RolloutPlan,
    Stop,
    itinerary,
    plan_rollout,
)
from mlops_pipeline_tests.delivery.contracts import short_contract

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = plan_rollout(short_contract(bake_minutes=5))
SHADOW, FIRST, SECOND, LAST, BAKE = itinerary(PLAN)[:5]


def live(
    n: int, bad: dict[str, int] | None = None, *, stable: Tally | None = None, weight: int = 1000
) -> LiveEvidence:
    """The candidate's outcomes, all at one weight, beside as many good ones as the split gives."""
    mine = Tally(n, bad or {})
    others = stable or Tally(round(n * (10_000 - weight) / weight), {})
    return LiveEvidence(mine, (mine,), (LiveStage(weight, mine, others),), {weight: n}, n)


def judged(stop: Stop, later: timedelta = timedelta(), **more: object) -> Judgement:
    evidence = StageEvidence(stop=stop, since=NOW, candidate_ready=True)
    return judge(PLAN, replace(evidence, **more), now=NOW + later)


@given(
    stop=st.sampled_from(itinerary(PLAN)[:5]),
    later=st.timedeltas(timedelta(), timedelta(days=900)),
)
def test_without_evidence_nothing_advances_however_long_it_takes(stop: Stop, later: timedelta):
    for shadow in (None, ShadowEvidence(0, {}, ())):
        assert judged(stop, later, shadow=shadow).action is Action.HOLD
        assert judged(stop, later, shadow=shadow, live=live(0)).action is Action.HOLD


def test_enough_good_units_end_a_step():
    assert judged(FIRST, live=live(59)).reasons == (
        "units served by the candidate (59) < requests_per_step (60)",
    )
    assert judged(FIRST, live=live(60)).action is Action.ADVANCE


def test_only_units_at_this_weight_end_a_step():
    assert judged(SECOND, live=live(60)).action is Action.HOLD


def test_the_last_step_needs_proof_that_every_guard_is_within_its_budget():
    # 60 good outcomes against a budget of 5 % are worth 7.4; 20 are needed.
    found = judged(LAST, live=live(60, weight=10_000))
    assert found.action is Action.HOLD
    assert found.reasons[0].endswith("error (within): 0 against 0.05 on 60, e-value 7.38 < 20")
    assert judged(LAST, live=live(120, weight=10_000)).action is Action.ADVANCE


def test_proof_against_any_guard_rolls_back_with_both_sides_of_the_comparison():
    found = judged(FIRST, live=live(30, {"error": 15}))
    assert (found.action, found.guard) == (Action.ROLL_BACK, "error")
    assert found.reasons[0].startswith("error (budget): 0.5 against 0.05 on 30, e-value")
    assert found.reasons[0].endswith(">= 160")


def test_a_rate_above_budget_that_is_not_proven_holds():
    found = judged(FIRST, live=live(100, {"error": 7}, stable=Tally(900, {"error": 40})))
    assert found.action is Action.HOLD
    assert (
        "observed above budget, not yet proven: error (budget): 0.07 against 0.05"
        in (found.reasons[0])
    )


def test_a_candidate_that_is_worse_than_the_stable_rolls_back_within_its_budget():
    found = judged(FIRST, live=live(1000, {"error": 40}, stable=Tally(9000, {"error": 5})))
    (relative,) = (f for f in found.findings if (f.guard, f.test) == ("error", "relative"))
    assert found.action is Action.ROLL_BACK
    assert relative.proven
    assert relative.value == pytest.approx(40 / 45)
    assert relative.limit == pytest.approx(0.125 / 0.9 / (0.125 / 0.9 + 1))


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.STEP, Phase.BAKE, Phase.APPROVE_PROMOTION])
def test_a_retreat_rolls_back_in_every_phase(phase: Phase):
    retreat = Retreat("m", "2", "rollout-1", "its server ended", "reflex", 0.0, 500, 7)
    found = judged(replace(FIRST, phase=phase), retreat=retreat, live=live(1000))
    assert (found.action, found.guard) == (Action.ROLL_BACK, "reflex")


def test_a_late_failure_during_the_bake_rolls_back():
    blocks = (*[Tally(100, {})] * 30, Tally(12, {"error": 12}))
    late = replace(live(3012, {"error": 12}, weight=10_000), blocks=blocks)
    assert judged(BAKE, live=late).action is Action.ROLL_BACK


def test_a_candidate_that_is_not_ready_is_held():
    found = judged(FIRST, live=live(100), candidate_ready=False)
    assert found.reasons == ("the candidate's server is not ready",)


def test_a_deadline_that_passes_holds_and_says_so():
    found = judged(FIRST, timedelta(minutes=10), live=live(3))
    assert (found.action, found.overdue) == (Action.HOLD, True)
    assert found.reasons[-1] == "the deadline of 0.167 h for this stop has passed"


def test_a_split_that_is_not_the_configured_one_holds():
    found = judged(FIRST, live=live(300, stable=Tally(300, {})))
    assert found.action is Action.HOLD
    assert (
        "the router does not split as configured: split (split): 0.5 against 0.1 on 600"
        in (found.reasons[0])
    )


def test_shadow_ends_with_enough_pairs_whose_scores_agree():
    assert judged(SHADOW, shadow=ShadowEvidence(39, {}, (0.0,) * 39)).action is Action.HOLD
    assert judged(SHADOW, shadow=ShadowEvidence(40, {}, (0.1,) * 40)).action is Action.ADVANCE
    assert judged(SHADOW, shadow=ShadowEvidence(40, {}, (0.22,) * 40)).action is Action.HOLD
    assert judged(SHADOW, shadow=ShadowEvidence(40, {}, (0.7,) * 40)).guard == "score"
    assert judged(SHADOW, shadow=ShadowEvidence(40, {}, ())).action is Action.HOLD


def test_failing_copies_roll_back_before_any_user_is_touched():
    found = judged(SHADOW, shadow=ShadowEvidence(40, {"error": 20}, (0.0,) * 20))
    assert (found.action, found.guard) == (Action.ROLL_BACK, "error")


def test_the_bake_ends_when_its_time_is_over_and_the_proof_stands():
    good = live(500, weight=10_000)
    assert judged(BAKE, timedelta(minutes=4), live=good).action is Action.HOLD
    assert judged(BAKE, timedelta(minutes=5), live=good).action is Action.ADVANCE
    assert judged(BAKE, timedelta(minutes=5), live=live(20, weight=10_000)).action is Action.HOLD


def with_labels(
    seen: LabelEvidence | None, later: timedelta = timedelta(minutes=5), stop: Stop = BAKE
) -> Judgement:
    plan = replace(PLAN, labels=LabelPlan(answers=100, max_wrong=0.3, threshold=0.5))
    evidence = StageEvidence(
        stop, NOW, candidate_ready=True, live=live(500, weight=10_000), labelled=seen
    )
    return judge(plan, evidence, now=NOW + later)


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(days=400)])
@pytest.mark.parametrize("seen", [None, LabelEvidence(0, 0), LabelEvidence(99, 0)])
def test_where_labels_are_asked_for_a_bake_without_them_holds_for_ever(
    seen: LabelEvidence | None, later: timedelta
):
    found = with_labels(seen, later)
    assert found.action is Action.HOLD
    n = 0 if seen is None else seen.n
    assert f"labelled answers ({n}) < labels.answers (100)" in found.reasons


def test_labels_let_the_bake_end_where_they_prove_that_few_are_wrong():
    assert with_labels(LabelEvidence(200, 20)).action is Action.ADVANCE
    doubtful = with_labels(LabelEvidence(200, 58))  # 29 %: within, but not proven
    assert doubtful.action is Action.HOLD
    assert any("not yet proven to be within budget: labels" in r for r in doubtful.reasons)


def test_labels_that_prove_too_many_wrong_answers_roll_back_before_the_bake_is_over():
    found = with_labels(LabelEvidence(200, 110), timedelta(minutes=1))
    assert (found.action, found.guard) == (Action.ROLL_BACK, "labels")
    assert found.condemns
    assert "labels (wrong): 0.55 against 0.3 on 200" in found.reasons[0]


def test_a_candidate_that_is_wrong_where_the_stable_was_right_rolls_back_within_its_budget():
    found = with_labels(LabelEvidence(200, 40, only_candidate_wrong=40, only_stable_wrong=4))
    assert (found.action, found.guard) == (Action.ROLL_BACK, "labels")
    assert "labels (paired)" in found.reasons[0]
    even = with_labels(LabelEvidence(200, 40, only_candidate_wrong=22, only_stable_wrong=22))
    assert even.action is Action.ADVANCE


def test_labels_are_asked_again_after_a_persons_yes_and_count_among_the_tests():
    stop = replace(BAKE, phase=Phase.APPROVE_PROMOTION)
    assert with_labels(LabelEvidence(200, 110), stop=stop).action is Action.ROLL_BACK
    plan = replace(PLAN, labels=LabelPlan(100, 0.3, 0.5))
    assert plan.hypotheses == PLAN.hypotheses + 2


def test_alpha_is_divided_over_every_test_that_can_roll_back():
    found = judged(SHADOW, shadow=ShadowEvidence(40, {}, (0.0,) * 40), live=live(10))
    against = [f for f in found.findings if f.test not in ("within", "split")]
    assert len(against) == PLAN.hypotheses == 8
    assert {f.e_limit for f in against} == {8 / 0.05}


def stages_of(bad: np.ndarray, mine: np.ndarray, weights: np.ndarray, now: int) -> LiveEvidence:
    """The evidence after `now` units, given who failed, who met the candidate, and the weights."""
    seen_bad, seen_mine, seen_at = bad[:now], mine[:now], weights[:now]
    stages = []
    for weight in np.unique(seen_at):
        arms = [(seen_at == weight) & (seen_mine == own) for own in (True, False)]
        tallies = [Tally(int(arm.sum()), {"error": int(seen_bad[arm].sum())}) for arm in arms]
        stages.append(LiveStage(int(weight), *tallies))
    own = seen_bad[seen_mine]
    parts = [own[start : start + 100] for start in range(0, len(own), 100)]
    blocks = tuple(Tally(len(part), {"error": int(part.sum())}) for part in parts)
    total = Tally(len(own), {"error": int(own.sum())})
    return LiveEvidence(total, blocks, tuple(stages), {}, len(own))


def rolled_back(plan: RolloutPlan, rate: np.ndarray, mine_factor: float, seed: int) -> int | None:
    """After how many of the candidate's units the judge rolled back, looking at every 20 units."""
    random = np.random.default_rng(seed)
    size = len(rate)
    weights = np.repeat([500, 2500, 5000, 10_000], size // 4)
    mine = random.random(size) < weights / 10_000
    bad = random.random(size) < rate * np.where(mine, mine_factor, 1)
    for now in range(20, size + 1, 20):
        evidence = stages_of(bad, mine, weights, now)
        if judge_live(plan, evidence).action is Action.ROLL_BACK:
            return evidence.candidate.n
    return None


def judge_live(plan: RolloutPlan, evidence: LiveEvidence) -> Judgement:
    """The judgement on live evidence alone."""
    return judge(plan, StageEvidence(FIRST, NOW, True, live=evidence), now=NOW)


@pytest.mark.slow
def test_an_equal_candidate_is_rolled_back_less_often_than_alpha_however_often_one_looks():
    """A/A at the worst: both arms fail exactly at the budget of 5 %."""
    runs = [rolled_back(PLAN, np.full(2000, 0.05), 1.0, seed) for seed in range(120)]
    assert sum(run is not None for run in runs) / len(runs) <= 0.05


@pytest.mark.slow
def test_a_candidate_that_fails_much_more_often_is_found_within_a_hundred_of_its_requests():
    runs = [rolled_back(PLAN, np.full(2000, 0.01), 25.0, seed) for seed in range(40)]
    assert all(run is not None for run in runs)
    assert np.median([run for run in runs if run is not None]) < 100


def test_a_finding_prints_both_sides():
    finding = Finding("error", "budget", None, 0.05, 0, 0, 1.0, 160.0)
    assert str(finding) == "error (budget): none against 0.05 on 0, e-value 1 < 160"


@pytest.mark.parametrize("unit", [1.0, 60.0])
def test_numbers_that_move_too_far_roll_back_in_any_unit(unit: float):
    plan = replace(PLAN, max_score_shift=20 * unit, score_reach=200 * unit)
    evidence = StageEvidence(stop=SHADOW, since=NOW, candidate_ready=True)

    def seen(shift: float) -> Judgement:
        found = ShadowEvidence(60, {}, tuple([shift * unit] * 60))
        return judge(plan, replace(evidence, shadow=found), now=NOW)

    assert seen(5).action is Action.ADVANCE
    assert seen(150).action is Action.ROLL_BACK
