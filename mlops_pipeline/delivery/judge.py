"""The judge: evidence in, one of advance, hold or roll back out. It acts on nothing.

Missing evidence holds. A deadline that passes holds. Only evidence that every guard is within its
budget lets the last step end; only evidence that one is not rolls back.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_pipeline.delivery import sequential
from mlops_pipeline.delivery.distribution import score_psi
from mlops_pipeline.delivery.evidence import LiveEvidence, LiveStage, ShadowEvidence, Tally
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.labels import LabelEvidence
from mlops_pipeline.delivery.plan import GuardPlan, LabelPlan, Phase, RolloutPlan, Stop

APPROVALS = frozenset({Phase.APPROVE_TRAFFIC, Phase.APPROVE_PROMOTION})
SPLIT_ALPHA = 0.001  # at which the observed split is not the configured one


class Action(StrEnum):
    """What to do now."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class Finding:
    """One test: what was observed, against which limit, on how many units, how strong."""

    guard: str
    test: str  # budget, relative, shadow, score_shift, distribution, split, wrong, paired, within
    value: float | None  # observed share, or mean; None without any outcome
    limit: float
    n: int
    bad: int
    e_value: float
    e_limit: float

    @property
    def proven(self) -> bool:
        """Whether the evidence reached its limit."""
        return self.e_value >= self.e_limit

    def __str__(self) -> str:
        """Both sides of the comparison."""
        value = "none" if self.value is None else f"{self.value:.4g}"
        sign = ">=" if self.proven else "<"
        return (
            f"{self.guard} ({self.test}): {value} against {self.limit:.4g} on {self.n}, "
            f"e-value {self.e_value:.3g} {sign} {self.e_limit:.3g}"
        )


@dataclass(frozen=True, slots=True)
class StageEvidence:
    """Everything the judge may look at."""

    stop: Stop
    since: datetime  # when this stop began
    candidate_ready: bool
    live: LiveEvidence | None = None
    shadow: ShadowEvidence | None = None
    retreat: Retreat | None = None
    approved: bool = False
    unapproved: str = ""  # who must still say yes
    labelled: LabelEvidence | None = None  # where the plan asks labels, from the bake on
    baking: datetime | None = None  # since when everybody is served; a hold does not undo it


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do, because of which guard, and every number behind it."""

    action: Action
    guard: str | None
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    overdue: bool = False
    condemns: bool = True  # a rollback puts the lineage in quarantine


def judge(plan: RolloutPlan, evidence: StageEvidence, *, now: datetime) -> Judgement:
    """The judgement on this stop at `now`."""
    against = _against(plan, evidence)
    retreat = evidence.retreat
    if retreat is not None and retreat.condemns:
        return _after_retreat(retreat, against)
    for finding in against:
        if finding.proven and finding.test != "split":
            return Judgement(Action.ROLL_BACK, finding.guard, (str(finding),), against)
    if retreat is not None:
        return _after_retreat(retreat, against)
    expired = _expired(plan, evidence, now)
    if expired is not None:
        return Judgement(Action.ROLL_BACK, "approval", (expired,), against, condemns=False)
    within = _within(plan, evidence.live)
    findings = (*against, *within, *_labels_within(plan, evidence))
    missing = _missing(plan, evidence, findings, now)
    if not missing:
        return Judgement(Action.ADVANCE, None, ("every guard is within its budget",), findings)
    patience = plan.patience(evidence.stop)
    overdue = now >= evidence.since + patience
    if overdue:
        hours = patience.total_seconds() / 3600
        missing = (*missing, f"the deadline of {hours:.3g} h for this stop has passed")
    return Judgement(Action.HOLD, None, missing, findings, overdue)


def _after_retreat(retreat: Retreat, against: tuple[Finding, ...]) -> Judgement:
    reason = f"the node retreated ({retreat.by}): {retreat.cause}"
    return Judgement(Action.ROLL_BACK, "reflex", (reason,), against, condemns=retreat.condemns)


def _expired(plan: RolloutPlan, evidence: StageEvidence, now: datetime) -> str | None:
    """That nobody said yes in time: the evidence that was asked about is old by now."""
    if plan.glass_until is not None and now.timestamp() >= plan.glass_until:
        return "the glass that was broken for it has expired before its promotion"
    if evidence.stop.phase not in APPROVALS or evidence.approved:
        return None
    if now < evidence.since + plan.approval:
        return None
    hours = plan.approval.total_seconds() / 3600
    return f"nobody said yes within {hours:.3g} h ({evidence.stop.phase})"


def _against(plan: RolloutPlan, evidence: StageEvidence) -> tuple[Finding, ...]:
    """Tests that speak against the candidate, or against the split itself."""
    limit = plan.hypotheses / plan.alpha
    found = []
    for guard in plan.guards:
        if evidence.live is not None:
            found += _live_findings(guard, evidence.live, limit)
        if evidence.shadow is not None and guard.budget is not None:
            n, bad = evidence.shadow.n, evidence.shadow.bad.get(guard.name, 0)
            log_e = float(sequential.log_e_above(bad, n, guard.budget))
            found.append(_finding(guard.name, "shadow", n, bad, guard.budget, log_e, limit))
    if evidence.shadow is not None:
        found += _distribution(evidence.shadow, plan.max_score_psi)
        found.append(_score_shift(evidence.shadow, plan, limit))
    if evidence.live is not None:
        found += [_split(stage) for stage in evidence.live.stages if 0 < stage.share < 1]
    if evidence.labelled is not None and plan.labels is not None:
        found += _label_findings(evidence.labelled, plan.labels, limit)
    return tuple(found)


def _label_findings(seen: LabelEvidence, plan: LabelPlan, limit: float) -> list[Finding]:
    """Wrong answers: too many, or more than the stable's to the same requests."""
    alone = float(sequential.log_e_above(seen.wrong, seen.n, plan.max_wrong))
    mine, n = seen.only_candidate_wrong, seen.discordant
    paired = float(sequential.log_e_above(mine, n, 0.5))
    return [
        _finding("labels", "wrong", seen.n, seen.wrong, plan.max_wrong, alone, limit),
        _finding("labels", "paired", n, mine, 0.5, paired, limit),
    ]


def _live_findings(guard: GuardPlan, live: LiveEvidence, limit: float) -> list[Finding]:
    found = []
    n, bad = live.candidate.n, live.candidate.bad.get(guard.name, 0)
    if guard.budget is not None:
        blocks = [(block.n, block.bad.get(guard.name, 0)) for block in live.blocks]
        log_e = sequential.log_e_above_lately(blocks, guard.budget)
        found.append(_finding(guard.name, "budget", n, bad, guard.budget, log_e, limit))
    stages = [_stage(stage, guard.name) for stage in live.stages]
    log_e = float(sequential.log_e_worse(stages, guard.tolerance))
    mine = sum(stage.candidate.bad.get(guard.name, 0) for stage in live.stages)
    theirs = sum(stage.stable.bad.get(guard.name, 0) for stage in live.stages)
    ratio = Finding(
        guard.name,
        "relative",
        mine / (mine + theirs) if mine + theirs else None,
        _fair_share(live.stages, guard),
        mine + theirs,
        mine,
        _exp(log_e),
        limit,
    )
    return [*found, ratio]


def _within(plan: RolloutPlan, live: LiveEvidence | None) -> tuple[Finding, ...]:
    """Tests that speak for the candidate; all of them must be met (intersection-union), so that
    alpha is not divided here."""
    seen = live.candidate if live is not None else Tally(0, {})
    n = seen.n
    found = []
    for guard in plan.guards:
        if guard.budget is not None:
            bad = seen.bad.get(guard.name, 0)
            log_e = float(sequential.log_e_below(bad, n, guard.budget))
            found.append(
                _finding(guard.name, "within", n, bad, guard.budget, log_e, 1 / plan.alpha)
            )
    return tuple(found)


def _labels_within(plan: RolloutPlan, evidence: StageEvidence) -> list[Finding]:
    """That few enough labelled answers are wrong, from the bake on; without a label, nothing."""
    if plan.labels is None or evidence.stop.phase not in (Phase.BAKE, Phase.APPROVE_PROMOTION):
        return []
    seen = evidence.labelled or LabelEvidence(0, 0)
    log_e = float(sequential.log_e_below(seen.wrong, seen.n, plan.labels.max_wrong))
    limit = plan.labels.max_wrong
    return [_finding("labels", "within", seen.n, seen.wrong, limit, log_e, 1 / plan.alpha)]


def _missing(
    plan: RolloutPlan, evidence: StageEvidence, findings: tuple[Finding, ...], now: datetime
) -> tuple[str, ...]:
    """Why this stop cannot end yet."""
    stop = evidence.stop
    why = []
    if not evidence.candidate_ready:
        why.append("the candidate's server is not ready")
    if stop.phase is Phase.SHADOW:
        why += _missing_in_shadow(plan, evidence.shadow)
    if stop.phase is Phase.STEP:
        why += _missing_in_step(plan, stop, evidence.live)
    baked = (evidence.baking or evidence.since) + plan.bake
    if stop.phase is Phase.BAKE and now < baked:
        why.append(f"the bake lasts until {baked.isoformat()}")
    if stop.phase is Phase.BAKE and plan.labels is not None:
        n = 0 if evidence.labelled is None else evidence.labelled.n
        if n < plan.labels.answers:
            why.append(f"labelled answers ({n}) < labels.answers ({plan.labels.answers})")
    if stop.phase in APPROVALS and not evidence.approved:
        why.append(evidence.unapproved or f"nobody approved yet: {stop.phase}")
    for finding in findings:
        if finding.test == "split" and finding.proven:
            why.append(f"the router does not split as configured: {finding}")
        if finding.test in ("budget", "shadow", "wrong") and (finding.value or 0) > finding.limit:
            why.append(f"observed above budget, not yet proven: {finding}")
        if finding.test == "within" and _ends_in_promotion(stop) and not finding.proven:
            why.append(f"not yet proven to be within budget: {finding}")
    return tuple(why)


def _missing_in_shadow(plan: RolloutPlan, shadow: ShadowEvidence | None) -> list[str]:
    n = 0 if shadow is None else shadow.n
    if shadow is None or n < plan.shadow_requests:
        return [f"compared requests ({n}) < shadow_requests ({plan.shadow_requests})"]
    mean = math.fsum(shadow.shifts) / len(shadow.shifts) if shadow.shifts else math.inf
    if mean > plan.max_score_shift:
        return [f"mean score shift ({mean:.3g}) > max_score_shift ({plan.max_score_shift})"]
    moved = score_psi(shadow.scores)
    if moved is not None and moved > plan.max_score_psi:
        return [f"scores are distributed otherwise: PSI ({moved:.3g}) > {plan.max_score_psi:g}"]
    return []


def _missing_in_step(plan: RolloutPlan, stop: Stop, live: LiveEvidence | None) -> list[str]:
    n = 0 if live is None else live.units_at.get(stop.weight, 0)
    if n >= plan.requests_per_step:
        return []
    return [f"units served by the candidate ({n}) < requests_per_step ({plan.requests_per_step})"]


def _ends_in_promotion(stop: Stop) -> bool:
    return stop.last_step or stop.phase in (Phase.BAKE, Phase.APPROVE_PROMOTION)


def _score_shift(shadow: ShadowEvidence, plan: RolloutPlan, e_limit: float) -> Finding:
    n, limit, reach = len(shadow.shifts), plan.max_score_shift, plan.score_reach
    shares = [shift / reach for shift in shadow.shifts]
    log_e = float(sequential.log_e_mean_above(shares, limit / reach)) if n else 0.0
    mean = math.fsum(shadow.shifts) / n if n else None
    above = sum(shift > limit for shift in shadow.shifts)
    return Finding("score", "score_shift", mean, limit, n, above, _exp(log_e), e_limit)


def _distribution(shadow: ShadowEvidence, limit: float) -> list[Finding]:
    """For the record: it can hold a rollout, but its e-value is always 1."""
    moved = score_psi(shadow.scores)
    n = len(shadow.scores)
    if moved is None:
        return []
    return [Finding("score", "distribution", moved, limit, n, 0, 1.0, math.inf)]


def _split(stage: LiveStage) -> Finding:
    """Sample ratio: both directions, so each has half of the evidence's weight."""
    n = stage.candidate.n + stage.stable.n
    mine = stage.candidate.n
    more = float(sequential.log_e_above(mine, n, stage.share))
    less = float(sequential.log_e_below(mine, n, stage.share))
    e_value = (_exp(more) + _exp(less)) / 2
    value = mine / n if n else None
    return Finding("split", "split", value, stage.share, n, mine, e_value, 1 / SPLIT_ALPHA)


def _stage(stage: LiveStage, guard: str) -> sequential.Stage:
    return sequential.Stage(
        stage.share, stage.candidate.bad.get(guard, 0), stage.stable.bad.get(guard, 0)
    )


def _fair_share(stages: tuple[LiveStage, ...], guard: GuardPlan) -> float:
    """The share of failures that is the candidate's at the largest tolerated rate, as they fell."""
    total = weighted = 0.0
    for stage in stages:
        if 0 < stage.share < 1:
            n = stage.candidate.bad.get(guard.name, 0) + stage.stable.bad.get(guard.name, 0)
            odds = guard.tolerance * stage.share / (1 - stage.share)
            total += n
            weighted += n * odds / (1 + odds)
    return weighted / total if total else 0.0


def _finding(
    guard: str, test: str, n: int, bad: int, budget: float, log_e: float, limit: float
) -> Finding:
    return Finding(guard, test, bad / n if n else None, budget, n, bad, _exp(log_e), limit)


def _exp(log_e: float) -> float:
    return math.exp(min(log_e, 700.0))
