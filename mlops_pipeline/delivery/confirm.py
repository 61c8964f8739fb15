"""That a retreat is true: the very units that met the version left now meet another one."""

from dataclasses import dataclass

from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT, units_for
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError

PROBES = 5
STILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """That the version left has no traffic: seen by requests, by counters, and when."""

    retreat: Retreat
    probes: int  # real requests, of units that had met the version left
    seconds_to_zero_weight: float  # from the verdict to the last of them
    served_after: int  # requests under way that the version left still answered


def confirm_retreat(
    world: World, model: str, retreat: Retreat, *, serving: str, verdict: float
) -> Confirmation:
    """Units that met what was left now meet `serving`, and nothing else reached it.

    Raises:
        DeliveryError: a request shows otherwise.
    """
    weight = retreat.weight or TOTAL_WEIGHT
    for unit in units_for(retreat.salt, weight, PROBES, candidate=True):
        answer = world.probe(model, unit)
        if answer.served_by != cluster_name(model, serving):
            raise DeliveryError(
                f"{model}: after the retreat from version {retreat.version} unit {unit} was still "
                f"answered by {answer.served_by or 'nobody'} ({answer.status}, routes "
                f"{answer.route_version}); run the rollback again"
            )
    elapsed = world.clock() - verdict
    if retreat.by == "reflex" and retreat.milliseconds is not None:
        elapsed = retreat.milliseconds / 1000  # it was done before anybody asked
    return Confirmation(retreat, PROBES, elapsed, _until_still(world, model, retreat.version))


def _until_still(world: World, model: str, version: str) -> int:
    """Requests that the version still answered until its counters stood still.

    Raises:
        DeliveryError: they do not: somebody still sends it traffic.
    """
    name = cluster_name(model, version)
    give_up = world.clock() + STILL_SECONDS
    first = last = _served(world, name)
    while world.clock() < give_up:
        now = _served(world, name)
        if now == last:
            return now - first
        last = now
    raise DeliveryError(f"{name} is still served {STILL_SECONDS} s after its retreat")


def _served(world: World, cluster: str) -> int:
    counters = world.node.counters().get(cluster)
    return 0 if counters is None else counters.good + counters.bad
