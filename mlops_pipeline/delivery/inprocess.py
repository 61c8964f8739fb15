"""A router in this process: it splits as the real one does, for tests and rehearsals."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlops_pipeline.delivery.assignment import meets_candidate
from mlops_pipeline.delivery.router import Arms, ClusterCounters, RoutePlan, cluster_name
from mlops_pipeline.errors import DeliveryError, RouterRejected, StaleGeneration

Upstream = Callable[[str, str], int]  # (socket path, unit) -> HTTP status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client of the router sees."""

    status: int
    served_by: str
    route_version: str


@dataclass(slots=True)
class InProcessRouter:
    """Answers `send` by asking `upstream`, as the last applied plan says."""

    upstream: Upstream = lambda socket, unit: 200
    down: set[str] = field(default_factory=set)  # sockets that do not answer
    refuse: bool = False  # the next plan is refused
    _plan: RoutePlan | None = None
    _good: dict[str, int] = field(default_factory=dict)
    _bad: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, plan: RoutePlan) -> str:
        """See `Router.apply`."""
        with self._lock:
            held = self._plan
            if held is not None and plan.generation <= held.generation and plan != held:
                raise StaleGeneration(
                    f"plan {plan.generation} is not newer than {held.generation}, which serves"
                )
            if self.refuse:
                self.refuse = False
                raise RouterRejected(f"plan {plan.generation} was refused")
            self._plan = plan
            return plan.route_version

    def confirm(self, route_version: str, *, timeout: float) -> None:
        """See `Router.confirm`; an answer here is immediate."""
        found = self._plan.route_version if self._plan else "none"
        if found != route_version:
            raise DeliveryError(f"responses carry route version {found}, not {route_version}")

    def observe(self) -> Mapping[str, ClusterCounters]:
        """See `Router.observe`."""
        return {
            name: ClusterCounters(
                self._good.get(name, 0), self._bad.get(name, 0), int(socket not in self.down), 1
            )
            for name, socket in self._clusters().items()
        }

    def health(self) -> Mapping[str, bool]:
        """See `Router.health`."""
        return {name: socket not in self.down for name, socket in self._clusters().items()}

    def send(self, model: str, unit: str) -> Answer:
        """One request of `unit`, answered by the version that the plan gives it."""
        plan = self._plan
        arms = next((a for a in plan.arms if a.model == model), None) if plan else None
        if plan is None or arms is None:
            return Answer(404, "", plan.route_version if plan else "")
        version = _pick(arms, unit)
        name = cluster_name(model, version)
        socket = plan.endpoints[model, version]
        status = 503 if socket in self.down else self.upstream(socket, unit)
        tally = self._bad if status >= 500 else self._good
        tally[name] = tally.get(name, 0) + 1
        return Answer(status, name, plan.route_version)

    def _clusters(self) -> dict[str, str]:
        if self._plan is None:
            return {}
        return {
            cluster_name(arms.model, version): self._plan.endpoints[arms.model, version]
            for arms in self._plan.arms
            for version in arms.versions
        }


def _pick(arms: Arms, unit: str) -> str:
    if arms.candidate is not None and meets_candidate(unit, arms.salt, arms.weight):
        return arms.candidate
    return arms.stable
