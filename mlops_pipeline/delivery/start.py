"""Beginnings: a rollout against the champion, or a first version that has nothing to meet."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery.forecast import foresee
from mlops_pipeline.delivery.plan import plan_digest, plan_json, plan_rollout, without_people
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.delivery.settle import settle
from mlops_pipeline.delivery.world import Notice, Runbook, World, await_host
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import audit, champion, overrides, rollouts, versions
from mlops_pipeline.ledger.audit import PIPELINE
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.ledger.rollouts import RolloutRow
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionRow

HOST_SECONDS = 60.0
logger = logging.getLogger(__name__)


def deploy_first(
    world: World,
    contract: ModelContract,
    *,
    version: str,
    reason: str,
    now: datetime,
    actor: str = PIPELINE,
) -> Champion:
    """The version is champion, recorded as "first version, no baseline", and serves everybody.

    Repeating it finishes what a crash left undone.

    Raises:
        DeliveryError: its server does not get ready, or another version is champion already.
        LedgerError: the version is unknown or in quarantine.
    """
    model = contract.name
    with reading(world.engine) as tx:
        leading = champion.read(tx, model)
        row = versions.get(tx, model, version)
    if leading is not None and leading.version != version:
        raise DeliveryError(
            f"{model} has champion {leading.version}: version {version} cannot be the first; "
            "roll it out"
        )
    if leading is None:
        _require_ready(world, row)
    await_host(world, row, timeout=HOST_SECONDS)
    if leading is None:
        with transaction(world.engine) as tx:
            leading = champion.move(
                tx,
                model,
                to=version,
                seen_epoch=0,
                reason=reason,
                now=now,
                actor=actor,
                first=True,
            )
    settle(world, model, now=now)
    return leading


def start_rollout(
    world: World,
    contract: ModelContract,
    *,
    candidate: str,
    reason: str,
    now: datetime,
    stable: str | None = None,
    actor: str = PIPELINE,
    break_glass: timedelta | None = None,
    strict: bool = False,
) -> RolloutRow:
    """A rollout of `candidate` against the champion is planned; no traffic moves yet.

    Args:
        stable: the champion, where the caller wants to be sure that nobody moved it.
        break_glass: let the version past checklist and approvals for so long. Loud: an incident,
            and a red check until a normal promotion. Guards and reflex watch as ever.
        strict: refuse where the observed traffic cannot supply the evidence before a deadline.

    Raises:
        DeliveryError: there is no champion (use `deploy_first`), or `stable` is not it.
        LedgerError: another rollout is under way, a version is unknown, or in quarantine.
    """
    model = contract.name
    plan = plan_rollout(contract)
    _prove_way_back(world, model, now=now, actor=actor)
    if break_glass is not None:
        plan = without_people(plan, until=now + break_glass)
    else:
        with reading(world.engine) as view:
            _require_ready(world, versions.get(view, model, candidate))
    expected = foresee(world, plan, now=now)
    if strict and expected.too_slow:
        raise DeliveryError(f"{model}: {expected}; wait for more traffic or change the plan")
    with transaction(world.engine) as tx:
        if break_glass is not None:
            _tell_of_glass(world, tx, model, candidate, reason, actor, now, now + break_glass)
        leading = champion.read(tx, model)
        if leading is None:
            raise DeliveryError(f"{model} has no champion to compare with: deploy the first one")
        if stable not in (None, leading.version):
            raise DeliveryError(
                f"{model}: stable {stable} is not the champion, which is {leading.version}; "
                "start again against that"
            )
        if candidate == leading.version:
            raise DeliveryError(f"{model}: version {candidate} is champion already")
        row = rollouts.start(
            tx,
            model,
            candidate=candidate,
            stable=leading.version,
            plan=plan_json(plan),
            plan_digest=plan_digest(plan),
            reason=reason,
            now=now,
            deadline=now + plan.deadline,
            actor=actor,
        )
        detail = {"says": str(expected), "too_slow": list(expected.too_slow)}
        audit.append(
            tx,
            now=now,
            actor=actor,
            action="rollout.forecast",
            subject=rollouts.subject_of(model, row.id),
            detail=detail,
        )
        if expected.too_slow:
            logger.warning("event=traffic_too_slow rollout=%d forecast=%r", row.id, str(expected))
        return row


def _prove_way_back(world: World, model: str, *, now: datetime, actor: str) -> None:
    """A champion that answers users now is recorded as having served well."""
    with reading(world.engine) as view:
        leading = champion.read(view, model)
    if leading is None:
        return
    try:
        answer = world.probe(model, "way-back")
    except DeliveryError:
        logger.warning("event=way_back_unproven model=%s", model)
        return
    if answer.status == 200 and answer.served_by == cluster_name(model, leading.version):
        with transaction(world.engine) as tx:
            versions.mark_served(tx, model, leading.version, now=now, actor=actor)


def _tell_of_glass(
    world: World,
    tx: Connection,
    model: str,
    candidate: str,
    reason: str,
    actor: str,
    now: datetime,
    expires: datetime,
) -> None:
    """It is written down, and everybody hears of it."""
    overrides.put(tx, model, candidate, actor=actor, reason=reason, expires=expires, now=now)
    summary = (
        f"{model}: {actor} broke the glass for version {candidate} until {expires.isoformat()}: "
        f"{reason}"
    )
    detail = {"actor": actor, "reason": reason, "expires": expires.isoformat()}
    cause = f"break-glass for version {candidate}"
    notice = Notice(model, cause, summary, detail, Runbook.BREAK_GLASS)
    world.notify(tx, notice, now=now)


def _require_ready(world: World, version: VersionRow) -> None:
    """The checklist before promotion holds for the version.

    Raises:
        DeliveryError: it does not; the message lists what to mend.
    """
    open_items = world.blockers(version)
    if open_items:
        raise DeliveryError(
            f"{version.model} version {version.version} may not reach users yet: "
            + "; ".join(open_items)
        )
