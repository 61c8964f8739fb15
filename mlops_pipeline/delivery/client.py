"""The serving node as its callers see it: typed questions over its control socket."""

from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from mlops_pipeline.delivery.hosts import HostSpec, HostView
from mlops_pipeline.delivery.journal import DEFAULT_CONSECUTIVE, Retreat
from mlops_pipeline.delivery.router import ClusterCounters
from mlops_pipeline.delivery.unix import listens
from mlops_pipeline.delivery.view import HostOrder, NodeView, Refusal, RollbackOrder, RouteOrder
from mlops_pipeline.errors import (
    DeliveryError,
    NodeUnreachable,
    RouterRejected,
    StaleGeneration,
)

T = TypeVar("T")
_ERRORS: dict[str, type[DeliveryError]] = {
    "StaleGeneration": StaleGeneration,
    "RouterRejected": RouterRejected,
}


class NodeClient:
    """Speaks to the node at `socket`. Every method raises NodeUnreachable where none answers."""

    def __init__(
        self, socket: Path, *, timeout: float = 30.0, http: httpx.Client | None = None
    ) -> None:
        self._socket = socket
        self._through_socket = http is None
        self._http = http or httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket), verify=False),
            base_url="http://node",
            timeout=timeout,
        )

    def close(self) -> None:
        """Its connections are closed."""
        self._http.close()

    def state(self) -> NodeView:
        """The node as it is now."""
        return self._ask("GET", "/state", None, NodeView)

    def counters(self) -> dict[str, ClusterCounters]:
        """The router's counters by cluster."""
        return self.state().counters

    def ensure_host(self, spec: HostSpec) -> HostView:
        """The version's server runs; poll `state` until it is ready.

        Raises:
            DeliveryError: the version is already served in another way.
        """
        path = f"/hosts/{spec.model}/{spec.version}"
        return self._ask("PUT", path, HostOrder(spec.bundle, spec.fault), HostView)

    def stop_host(self, model: str, version: str) -> None:
        """The version's server ended.

        Raises:
            DeliveryError: traffic still goes to it.
        """
        self._ask("DELETE", f"/hosts/{model}/{version}", None, type(None))

    def put_routes(
        self,
        model: str,
        *,
        stable: str,
        candidate: str | None,
        weight: int,
        shadow: bool,
        salt: str,
        rollout: int,
        generation: int,
        timeout_ms: int = 2000,
        consecutive_failures: int = DEFAULT_CONSECUTIVE,
    ) -> str:
        """Traffic is split so, confirmed by a real response; the route version.

        Args:
            weight: the candidate's, of 10 000.
            rollout, generation: the fence; an older one is refused.
            consecutive_failures: at which the node's reflex retreats by itself.

        Raises:
            StaleGeneration: the fence is too old, or the version was retreated in this rollout.
            RouterRejected: the router refused; everything is as before.
        """
        order = RouteOrder(
            *(stable, candidate, weight, shadow, salt, rollout, generation),
            timeout_ms=timeout_ms,
            consecutive_failures=consecutive_failures,
        )
        return self._ask("PUT", f"/routes/{model}", order, dict[str, str])["route_version"]

    def roll_back(
        self,
        model: str,
        *,
        reason: str,
        by: str,
        version: str | None = None,
        salt: str | None = None,
        to: str | None = None,
        condemns: bool = True,
    ) -> Retreat:
        """The candidate has no traffic, confirmed; see `RollbackOrder` for the arguments."""
        order = RollbackOrder(reason, by, version, salt, to, condemns)
        return self._ask("POST", f"/rollback/{model}", order, Retreat)

    def _ask(self, method: str, path: str, body: object, kind: type[T]) -> T:
        content = None if body is None else msgspec.json.encode(body)
        if self._through_socket and not listens(self._socket):
            raise self._unreachable(method, path, "nobody listens")
        try:
            answer = self._http.request(method, path, content=content)
        except httpx.HTTPError as error:
            raise self._unreachable(method, path, repr(error)) from error
        if answer.status_code == 200:
            return msgspec.json.decode(answer.content, type=kind)
        try:
            refusal = msgspec.json.decode(answer.content, type=Refusal)
        except msgspec.DecodeError:
            refusal = Refusal("DeliveryError", f"{answer.status_code}: {answer.text[:300]}")
        raise _ERRORS.get(refusal.kind, DeliveryError)(refusal.text)

    def _unreachable(self, method: str, path: str, why: str) -> NodeUnreachable:
        return NodeUnreachable(
            f"the node at {self._socket} does not answer {method} {path} ({why}); "
            "start it with `mlops serve`"
        )
