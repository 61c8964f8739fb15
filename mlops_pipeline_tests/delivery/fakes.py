"""A node without processes: real switchboard and control interface, in-process router."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
from sqlalchemy import Engine
from starlette.applications import Starlette

from mlops_pipeline.delivery.access_log import AccessLine, access_log_path
from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.control import control_app
from mlops_pipeline.delivery.hosts import HostSpec, HostView, Key
from mlops_pipeline.delivery.inprocess import InProcessRouter
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.router import split_cluster
from mlops_pipeline.delivery.switchboard import RouteCommand, Switchboard
from mlops_pipeline.delivery.view import NodeView, RollbackOrder
from mlops_pipeline.delivery.world import ProbeAnswer, World, raise_incident
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord
from mlops_pipeline.settings import Settings

Behaviour = Callable[[str, str], tuple[int, float]]  # (version, unit) -> (status, milliseconds)


def well(version: str, unit: str) -> tuple[int, float]:
    """Every version answers at once."""
    return 200, 5.0


@dataclass
class FakeNode:
    """Implements `Controlled`; hosts are ready as soon as they are asked for."""

    settings: Settings
    router: InProcessRouter = field(default_factory=InProcessRouter)
    hosts: dict[Key, HostSpec] = field(default_factory=dict)
    late: set[Key] = field(default_factory=set)  # hosts that are not ready
    after_put: Callable[[RouteCommand], None] = lambda command: None

    def __post_init__(self) -> None:
        self.switch = Switchboard(
            self.router, self.settings.home / "node" / "journal.json", self._endpoints
        )

    def state(self) -> NodeView:
        """See `Controlled.state`."""
        journal = self.switch.journal
        return NodeView(
            pid=1,
            port=self.settings.port,
            router_pid=1,
            router_alive=True,
            route_version=f"r{journal.serial}",
            access_log=str(access_log_path(self.settings.home)),
            routes=journal.routes,
            hosts=tuple(map(self._view, self.hosts.values())),
            retreats=journal.retreats,
            counters=dict(self.router.observe()),
        )

    def ensure_host(self, spec: HostSpec) -> HostView:
        """See `Controlled.ensure_host`."""
        self.hosts[spec.key] = spec
        return self._view(spec)

    def stop_host(self, model: str, version: str) -> None:
        """See `Controlled.stop_host`."""
        self.switch.forget_host(model, version)
        del self.hosts[model, version]

    def put_routes(self, command: RouteCommand) -> str:
        """See `Controlled.put_routes`."""
        version = self.switch.put(command)
        self.after_put(command)
        return version

    def roll_back(self, model: str, order: RollbackOrder) -> Retreat:
        """See `Controlled.roll_back`."""
        held = self.switch.journal.routes.get(model)
        if order.salt and order.version and (held is None or held.arms.salt != order.salt):
            return self.switch.bar(
                *(model, order.version, order.salt),
                cause=order.reason,
                by=order.by,
                condemns=order.condemns,
            )
        return self.switch.retreat(
            model, cause=order.reason, by=order.by, to=order.to, condemns=order.condemns
        )

    def _endpoints(self) -> dict[Key, str]:
        return {key: f"/run/{key[0]}-{key[1]}" for key in self.hosts}

    def _view(self, spec: HostSpec) -> HostView:
        return HostView(spec, "/run/h", 1, True, spec.key not in self.late, 0)


class Bridge(httpx.BaseTransport):
    """Asks an application in this process, as if through a socket."""

    def __init__(self, app: Starlette) -> None:
        self._app = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, answered."""

        async def ask() -> httpx.Response:
            answer = await self._app.handle_async_request(request)
            return httpx.Response(answer.status_code, content=await answer.aread())

        return asyncio.run(ask())


@dataclass
class Users:
    """Requests of one model, answered through the router and written to the logs as users'."""

    node: FakeNode
    model: str
    behave: Behaviour = well
    shift: float = 0.0  # how far the candidate's scores are off
    _count: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    def send(self, count: int, *, units: int | None = None) -> list[str]:
        """So many requests, of as many users or of `units` that come again; who answered each."""
        lines, served = [], []
        for _ in range(count):
            self._count += 1
            name = self._count if units is None else self._count % units
            served.append(self._one(f"user-{name}", f"request-{self._count}", lines))
        path = access_log_path(self.node.settings.home)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            log.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
        return served

    def _one(self, unit: str, request: str, lines: list[AccessLine]) -> str:
        routes = self.node.switch.journal.routes[self.model]
        versions: list[str] = []

        def upstream(socket: str, unit: str) -> int:
            versions.append(socket.rpartition("-")[2])
            return self.behave(versions[-1], unit)[0]

        self.node.router.upstream = upstream
        answer = self.node.router.send(self.model, unit)
        ms = self.behave(versions[-1], unit)[1] if versions else 0.0
        lines.append(
            AccessLine(
                at="0", id=request, method="POST", path=f"/{self.model}/predict",
                code=answer.status, flags="-", cluster=answer.served_by, attempts=1, ms=ms,
                rollout=routes.arms.salt, weight=routes.arms.weight, unit_header=unit,
            )
        )  # fmt: skip
        named = split_cluster(answer.served_by)
        score = self._random.random() / 2
        if named is not None:
            self._record(named[1], Arm.LIVE, request, unit, score)
        if routes.arms.shadow and routes.arms.candidate and answer.status == 200:
            shifted = score + self.shift
            self._record(routes.arms.candidate, Arm.SHADOW, request, unit, shifted)
        return answer.served_by

    def _record(self, version: str, arm: Arm, request: str, unit: str, score: float) -> None:
        status, ms = self.behave(version, unit)
        outcome = Outcome.OK if status == 200 else Outcome.ERROR
        record = RequestRecord(
            request, 2e9, self.model, version, arm, unit, status, outcome,
            score if status == 200 else None, ms, None, {}, {},
        )  # fmt: skip
        folder = self.node.settings.request_log / self.model / version
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{arm}-1-0.jsonl").open("ab") as log:
            log.write(msgspec.json.encode(record) + b"\n")


def fake_world(node: FakeNode, engine: Engine) -> World:
    """A world whose node is `node`."""

    def probe(model: str, unit: str) -> ProbeAnswer:
        answer = node.router.send(model, unit)
        return ProbeAnswer(answer.status, answer.served_by, answer.route_version)

    http = httpx.Client(transport=Bridge(control_app(node)), base_url="http://node")
    return World(
        engine=engine,
        node=NodeClient(Path("/nowhere"), http=http),
        settings=node.settings,
        bundle_folder=lambda version: Path("/bundles") / version.bundle,
        probe=probe,
        notify=raise_incident,
    )
