"""The plan of one rollout, frozen from the contract when it starts, and the stops on its way."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT
from mlops_pipeline.ledger.rollouts import RolloutState

FAR = 10.0  # numbers that lie further apart than so many allowed shifts count as so far
REFUSED = "refused"  # the guard that every plan has: requests that a server calls wrong


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """A share of bad outcomes that users may see.

    Bad means failed, or slower than `over_ms`, or refused for the guard of that name. Without a
    budget only the comparison with the stable counts.
    """

    name: str
    budget: float | None
    tolerance: float
    over_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """What labels must say before a bake ends in a promotion."""

    answers: int  # labelled, of different units
    max_wrong: float
    threshold: float  # at which a score says yes


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Everything that decides how a candidate reaches users. Equal plans have equal digests."""

    model: str
    shadow_requests: int
    max_score_shift: float
    weights: tuple[int, ...]  # the candidate's buckets at each step, of 10 000
    requests_per_step: int
    alpha: float
    guards: tuple[GuardPlan, ...]
    consecutive_failures: int
    deadline_seconds: float  # of each stop
    bake_seconds: float
    timeout_ms: int
    approve_traffic: bool
    approve_promotion: bool
    approve_seconds: float = 72 * 3600.0  # after which a question, or an answer, is too old
    four_eyes: bool = False  # two people, neither of whom began the rollout
    score_reach: float = 1.0  # the largest difference of two scores that counts
    max_score_psi: float = 1.0  # between both versions' scores of the same requests, in shadow
    preflight_requests: int = 0  # recent ones, held against the candidate's contract
    max_refused: float = 0.01  # share of them that it may refuse
    labels: LabelPlan | None = None  # what the bake asks of labels
    glass_until: float | None = None  # unix seconds: checklist and approvals were overridden

    @property
    def hypotheses(self) -> int:
        """Tests that alpha is divided over (Bonferroni): for each guard its budget live, its budget
        in shadow, and the comparison with the stable; the shift of scores; and what labels say of
        the candidate alone and beside the stable."""
        budgets = sum(guard.budget is not None for guard in self.guards)
        return len(self.guards) + 2 * budgets + 1 + 2 * (self.labels is not None)

    @property
    def deadline(self) -> timedelta:
        """How long a stop may take before it holds."""
        return timedelta(seconds=self.deadline_seconds)

    def patience(self, stop: "Stop") -> timedelta:
        """How long this stop may take: a bake has its own time first."""
        return self.deadline + (self.bake if stop.phase is Phase.BAKE else timedelta())

    @property
    def approval(self) -> timedelta:
        """How long a question waits for its answer, and an answer for its use."""
        return timedelta(seconds=self.approve_seconds)

    @property
    def bake(self) -> timedelta:
        """How long everybody is served before the promotion."""
        return timedelta(seconds=self.bake_seconds)


class Phase(StrEnum):
    """What a stop is for; several stops may share a state of the ledger."""

    SHADOW = "shadow"
    APPROVE_TRAFFIC = "approve_traffic"
    STEP = "step"
    BAKE = "bake"
    APPROVE_PROMOTION = "approve_promotion"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a rollout, and how traffic is split there."""

    phase: Phase
    state: RolloutState
    step: int
    weight: int
    shadow: bool = False
    last_step: bool = False


def plan_rollout(contract: ModelContract) -> RolloutPlan:
    """The plan that the contract asks for."""
    said = contract.rollout
    guards = [GuardPlan(g.name, g.budget, g.tolerance, g.over_ms) for g in said.guards]
    tolerance = max(guard.tolerance for guard in guards)
    shift, reach = said.max_score_shift, said.max_score_shift * FAR
    if contract.kind.calibrated:
        shift, reach = min(shift, 0.99), 1.0
    return RolloutPlan(
        model=contract.name,
        shadow_requests=said.shadow_requests,
        max_score_shift=shift,
        score_reach=reach,
        weights=tuple(max(1, round(step * TOTAL_WEIGHT / 100)) for step in said.steps),
        requests_per_step=said.requests_per_step,
        alpha=said.alpha,
        guards=(*guards, GuardPlan(REFUSED, None, tolerance)),
        consecutive_failures=said.consecutive_failures,
        deadline_seconds=said.step_deadline_minutes * 60,
        bake_seconds=said.bake_minutes * 60,
        timeout_ms=said.timeout_ms,
        approve_traffic=contract.approvals.before_traffic,
        approve_promotion=contract.approvals.before_promotion,
        approve_seconds=contract.approvals.expire_hours * 3600,
        four_eyes=contract.approvals.four_eyes,
        preflight_requests=said.preflight_requests,
        max_refused=said.max_refused,
        labels=None
        if said.labels is None
        else LabelPlan(said.labels.answers, said.labels.max_wrong, contract.acceptance.threshold),
    )


def without_people(plan: RolloutPlan, *, until: datetime) -> RolloutPlan:
    """The plan after somebody broke the glass: nobody is asked, and it must end before `until`."""
    return replace(
        plan, approve_traffic=False, approve_promotion=False, glass_until=until.timestamp()
    )


def plan_json(plan: RolloutPlan) -> dict[str, Any]:
    """The plan as the ledger keeps it; `parse_plan` reads it back."""
    built: dict[str, Any] = msgspec.to_builtins(plan)
    return built


def parse_plan(kept: dict[str, Any]) -> RolloutPlan:
    """The plan that `plan_json` made."""
    return msgspec.convert(kept, RolloutPlan)


def plan_digest(plan: RolloutPlan) -> str:
    """SHA-256 of the canonical JSON: approvals are bound to it."""
    return digest_of(canonical_json(plan_json(plan)))


def itinerary(plan: RolloutPlan) -> tuple[Stop, ...]:
    """Every stop from the first copy of a request to the promotion, in order."""
    state = RolloutState
    last = len(plan.weights) - 1
    stops = []
    if plan.shadow_requests:
        stops.append(Stop(Phase.SHADOW, state.SHADOW, 0, 0, shadow=True))
    if plan.approve_traffic:
        stops.append(Stop(Phase.APPROVE_TRAFFIC, state.AWAITING_APPROVAL, 0, 0, shadow=True))
    stops += [
        Stop(Phase.STEP, state.STEPPING, step, weight, last_step=step == last)
        for step, weight in enumerate(plan.weights)
    ]
    if plan.bake_seconds:
        stops.append(Stop(Phase.BAKE, state.BAKE, last, TOTAL_WEIGHT))
    if plan.approve_promotion:
        stop = Stop(Phase.APPROVE_PROMOTION, state.AWAITING_APPROVAL, last, TOTAL_WEIGHT)
        stops.append(stop)
    return (*stops, Stop(Phase.PROMOTED, state.PROMOTED, last, 0))
