"""The node's control interface: HTTP on a private unix socket.

GET    /state                        NodeView
PUT    /hosts/{model}/{version}      HostOrder      -> HostView
DELETE /hosts/{model}/{version}
PUT    /routes/{model}               RouteOrder     -> {"route_version"}   409: older, or retreated
POST   /rollback/{model}             RollbackOrder  -> Retreat
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_pipeline.delivery.hosts import HostSpec, HostView
from mlops_pipeline.delivery.journal import Fence, Retreat
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.switchboard import RouteCommand
from mlops_pipeline.delivery.view import HostOrder, NodeView, Refusal, RollbackOrder, RouteOrder
from mlops_pipeline.errors import MlopsError, RouterRejected, StaleGeneration

T = TypeVar("T")
CONFLICT, UNUSABLE = 409, 422


class Controlled(Protocol):
    """What the control interface drives: a node."""

    def state(self) -> NodeView:
        """As it is now."""
        ...

    def ensure_host(self, spec: HostSpec) -> HostView:
        """The host runs."""
        ...

    def stop_host(self, model: str, version: str) -> None:
        """The host ended."""
        ...

    def put_routes(self, command: RouteCommand) -> str:
        """Traffic is split so; the route version."""
        ...

    def roll_back(self, model: str, order: RollbackOrder) -> Retreat:
        """The candidate has no traffic."""
        ...


def control_app(node: Controlled) -> Starlette:
    """The ASGI application that drives `node`."""

    async def state(_: Request) -> Response:
        return await _answer(node.state)

    async def put_host(request: Request) -> Response:
        order = await _order(request, HostOrder)
        if isinstance(order, Response):
            return order
        model, version = request.path_params["model"], request.path_params["version"]
        spec = HostSpec(model, version, order.bundle, order.fault)
        return await _answer(lambda: node.ensure_host(spec))

    async def delete_host(request: Request) -> Response:
        model, version = request.path_params["model"], request.path_params["version"]
        return await _answer(lambda: node.stop_host(model, version))

    async def put_routes(request: Request) -> Response:
        order = await _order(request, RouteOrder)
        if isinstance(order, Response):
            return order
        model = request.path_params["model"]
        return await _answer(lambda: {"route_version": node.put_routes(_command(model, order))})

    async def roll_back(request: Request) -> Response:
        order = await _order(request, RollbackOrder)
        if isinstance(order, Response):
            return order
        return await _answer(lambda: node.roll_back(request.path_params["model"], order))

    return Starlette(
        routes=[
            Route("/state", state, methods=["GET"]),
            Route("/hosts/{model}/{version}", put_host, methods=["PUT"]),
            Route("/hosts/{model}/{version}", delete_host, methods=["DELETE"]),
            Route("/routes/{model}", put_routes, methods=["PUT"]),
            Route("/rollback/{model}", roll_back, methods=["POST"]),
        ]
    )


def _command(model: str, order: RouteOrder) -> RouteCommand:
    arms = Arms(model, order.stable, order.candidate, order.weight, order.shadow, order.salt)
    fence = Fence(order.rollout, order.generation)
    return RouteCommand(arms, fence, order.timeout_ms, order.consecutive_failures)


async def _order(request: Request, kind: type[T]) -> T | Response:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        return _json(Refusal(kind.__name__, str(error)), UNUSABLE)


async def _answer(act: Callable[[], Any]) -> Response:
    """What `act` gave, or why it was refused: the edge at which errors become statuses."""
    try:
        return _json(await run_in_threadpool(act), 200)
    except MlopsError as error:
        stale = isinstance(error, StaleGeneration)
        kind = type(error).__name__
        known = kind if isinstance(error, StaleGeneration | RouterRejected) else "DeliveryError"
        return _json(Refusal(known, str(error)), CONFLICT if stale else UNUSABLE)


def _json(value: Any, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
