"""A person's yes, where the plan asks for one: bound to what was seen, in time, by whom it may be.

The question is asked about a digest over everything that the answer rests on: plan, bundle, lineage
and the judgement that led to the stop. What was edited afterwards has another digest, for which
nobody said yes. It waits in the ledger, not in a process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.delivery.plan import RolloutPlan, Stop, itinerary, parse_plan, plan_digest
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import audit, decisions, reviews, rollouts, versions
from mlops_pipeline.ledger.reviews import ReviewKind, ReviewRow
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState

SECOND = "/second"  # the question that a second pair of eyes answers


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the stop may be left, and what is missing otherwise."""

    approved: bool
    approvers: tuple[str, ...]
    missing: str


def subject(tx: Connection, row: RolloutRow) -> str:
    """What a yes is bound to: the rollout as it stands in the ledger now."""
    version = versions.get(tx, row.model, row.candidate)
    asked = row.evidence_from.get("asked")
    decision = None if asked is None else decisions.find(tx, row.id, int(asked))
    seen = {
        "rollout": row.id,
        "plan": plan_digest(parse_plan(row.plan)),
        "bundle": version.bundle,
        "lineage": version.lineage,
        "decision": None if decision is None else [decision.action, decision.verdict],
        "evidence": None if decision is None else decision.evidence,
    }
    return digest_of(canonical_json(msgspec.to_builtins(seen)))


def ask(tx: Connection, row: RolloutRow, stop: Stop, *, now: datetime, actor: str) -> None:
    """The question is in the review queue, twice where the plan wants four eyes."""
    for check in _checks(parse_plan(row.plan), stop):
        reviews.open_review(
            tx,
            row.model,
            kind=ReviewKind.CANDIDATE,
            subject=subject(tx, row),
            check=check,
            severity="approval",
            detail={"rollout": row.id, "candidate": row.candidate, "plan": row.plan_digest},
            now=now,
            actor=actor,
        )


def standing(
    tx: Connection, row: RolloutRow, plan: RolloutPlan, stop: Stop, *, now: datetime
) -> Standing:
    """Whether everybody who must say yes has, about these bytes, and not too long ago."""
    found = [reviews.find(tx, row.model, subject(tx, row), check) for check in _checks(plan, stop)]
    given = [item for item in found if item is not None and item.approved is not None]
    fresh = [item for item in given if item.approved and now < item.approved + plan.approval]
    who = tuple(str(item.approver) for item in fresh)
    if len(fresh) < len(found):
        old = f"; {len(given) - len(fresh)} too old" if len(given) > len(fresh) else ""
        need = f"{len(found) - len(fresh)} more person(s) must approve: {stop.phase}{old}"
        return Standing(False, who, f"nobody approved yet: {stop.phase}" if not given else need)
    wrong = _wrong_people(plan, who, began_by(tx, row))
    return Standing(not wrong, who, wrong)


def approve(
    tx: Connection, model: str, *, approver: str, reason: str, now: datetime
) -> tuple[ReviewRow, ...]:
    """The rollout under way has this person's yes; the questions that it answered.

    Raises:
        DeliveryError: nothing waits for a yes, the question expired, or it is not theirs to give.
    """
    row = rollouts.active(tx, model)
    if row is None:
        raise DeliveryError(f"{model}: no rollout is under way, so nothing waits for a yes")
    if row.state is not RolloutState.AWAITING_APPROVAL:
        raise DeliveryError(f"{model}: rollout {row.id} is {row.state} and waits for nobody's yes")
    plan, about = parse_plan(row.plan), subject(tx, row)
    stop = itinerary(plan)[row.evidence_from["stop"]]
    known = standing(tx, row, plan, stop, now=now)
    if known.approved:
        who = " and ".join(known.approvers)
        raise DeliveryError(f"{model}: {who} said yes already; the next step acts on it")
    waiting = [item for item in reviews.open_items(tx, model) if item.subject == about]
    if not waiting:
        raise DeliveryError(
            f"{model}: what was asked about is not what the ledger holds now; roll it back"
        )
    if now >= row.changed + plan.approval:
        raise DeliveryError(
            f"{model}: the question of {row.changed.isoformat()} has expired; "
            "the next step takes the candidate out"
        )
    wrong = _wrong_people(plan, (*known.approvers, approver), began_by(tx, row))
    if wrong:
        raise DeliveryError(f"{model}: {wrong}")
    return (reviews.approve(tx, waiting[0].id, approver=approver, reason=reason, now=now),)


def began_by(tx: Connection, row: RolloutRow) -> str:
    """Who began the rollout."""
    entries = audit.entries(tx, rollouts.subject_of(row.model, row.id))
    return next((e.actor for e in entries if e.action == "rollout.started"), "")


def _checks(plan: RolloutPlan, stop: Stop) -> tuple[str, ...]:
    first = str(stop.phase)
    return (first, first + SECOND) if plan.four_eyes else (first,)


def _wrong_people(plan: RolloutPlan, who: Sequence[str], began: str) -> str:
    """Why these people's yes is not enough; empty where it is."""
    if not plan.four_eyes:
        return ""
    if began in who:
        return f"{began} began this rollout; with four eyes somebody else says yes"
    if len(set(who)) < len(who):
        return f"{who[-1]} said yes already; with four eyes the second yes is another person's"
    return ""
