"""Between rollouts: the router serves the champion and nothing else, whatever happened before."""

from datetime import datetime

from mlops_pipeline.delivery.rollback import undo_promotion
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.delivery.world import World, ensure_host, salt_of
from mlops_pipeline.ledger import champion, rollouts, versions
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.ledger.versions import VersionStatus


def settle(world: World, model: str, *, now: datetime) -> tuple[str, ...]:
    """Router and hosts follow the ledger's champion; what was still to do, in words.

    Nothing is done while a rollout is under way: its own steps do it. Servers of versions that are
    neither champion nor its predecessor are stopped.
    """
    view = world.node.state()
    with reading(world.engine) as tx:
        leading = champion.read(tx, model)
        active = rollouts.active(tx, model)
        rows = rollouts.all_of(tx, model)
    if leading is None or active is not None:
        return ()
    last = rows[-1] if rows else None
    if last is not None and _promotion_was_refused(last, leading, view):
        retreat = view.retreat_of(model, last.candidate, salt_of(last))
        if retreat is not None:
            undo_promotion(world, last, retreat, now=now)
            with reading(world.engine) as tx:
                leading = champion.read(tx, model) or leading
    return (*_route_champion(world, leading, last, view), *_stop_others(world, leading, view))


def _promotion_was_refused(last: RolloutRow, leading: Champion, view: NodeView) -> bool:
    promoted = last.state is RolloutState.PROMOTED and leading.version == last.candidate
    return promoted and view.retreat_of(last.model, last.candidate, salt_of(last)) is not None


def _route_champion(
    world: World, leading: Champion, last: RolloutRow | None, view: NodeView
) -> tuple[str, ...]:
    model = leading.model
    held = view.routes.get(model)
    salt = salt_of(last) if last is not None else "first"
    if held is not None and held.arms == Arms(model, leading.version, salt=held.arms.salt):
        return ()
    with reading(world.engine) as tx:
        version = versions.get(tx, model, leading.version)
    if not ensure_host(world, version).alive:
        return (f"the server of champion {leading.version} is not ready",)
    world.node.put_routes(
        model,
        stable=leading.version,
        candidate=None,
        weight=0,
        shadow=False,
        salt=salt,
        rollout=last.id if last is not None else 0,
        generation=last.generation if last is not None else leading.epoch,
        timeout_ms=held.timeout_ms if held is not None else 2000,
    )
    return (f"the router serves champion {leading.version}",)


def _stop_others(world: World, leading: Champion, view: NodeView) -> tuple[str, ...]:
    model = leading.model
    warm = {leading.version}
    with reading(world.engine) as tx:
        before = versions.find(tx, model, leading.previous) if leading.previous else None
    if before is not None and before.status is not VersionStatus.QUARANTINED:
        warm.add(before.version)
    done = []
    for host in view.hosts:
        if host.spec.model == model and host.spec.version not in warm:
            world.node.stop_host(model, host.spec.version)
            done.append(f"the server of version {host.spec.version} was stopped")
    return tuple(done)
