"""What crosses the node's control socket: records both sides agree on."""

from dataclasses import dataclass

from mlops_pipeline.delivery.hosts import HostView
from mlops_pipeline.delivery.journal import DEFAULT_CONSECUTIVE, ModelRoutes, Retreat
from mlops_pipeline.delivery.router import ClusterCounters


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node, its router and its hosts, as they are now."""

    pid: int
    port: int
    router_pid: int | None
    router_alive: bool
    route_version: str
    access_log: str
    routes: dict[str, ModelRoutes]
    hosts: tuple[HostView, ...]
    retreats: tuple[Retreat, ...]
    counters: dict[str, ClusterCounters]  # by cluster; empty while the router is down

    def host(self, model: str, version: str) -> HostView | None:
        """The host of that version, if there is one."""
        for view in self.hosts:
            if view.spec.key == (model, version):
                return view
        return None

    def retreat_of(self, model: str, version: str, salt: str) -> Retreat | None:
        """The retreat of that version in that rollout, if there was one."""
        for retreat in reversed(self.retreats):
            if (retreat.model, retreat.version, retreat.salt) == (model, version, salt):
                return retreat
        return None


@dataclass(frozen=True, slots=True)
class HostOrder:
    """Body of `PUT /hosts/{model}/{version}`."""

    bundle: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class RouteOrder:
    """Body of `PUT /routes/{model}`; `rollout` and `generation` are the fence."""

    stable: str
    candidate: str | None
    weight: int
    shadow: bool
    salt: str
    rollout: int
    generation: int
    timeout_ms: int = 2000
    consecutive_failures: int = DEFAULT_CONSECUTIVE


@dataclass(frozen=True, slots=True)
class RollbackOrder:
    """Body of `POST /rollback/{model}`.

    Without more it takes the present candidate out. `version` and `salt` name a rollout, whose
    candidate is barred even where it has no traffic yet; `to` makes another version stable.
    """

    reason: str
    by: str
    version: str | None = None
    salt: str | None = None
    to: str | None = None
    condemns: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the node did not do it. `kind` is the error's name."""

    kind: str
    text: str
