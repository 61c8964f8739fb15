"""The serving node: supervises router and hosts, writes the routes alone, and retreats by itself.

Three threads around one switchboard: the control interface, the reflex (several times a second),
and supervision (restarts, probes, log rotation). SIGTERM stops the children; after SIGKILL they
keep serving, and the next node adopts them.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from mlops_pipeline.delivery import access_log
from mlops_pipeline.delivery.ballast import Ballast
from mlops_pipeline.delivery.control import control_app
from mlops_pipeline.delivery.door import ControlDoor, only_node
from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace
from mlops_pipeline.delivery.hosts import HostCommand, Hosts, HostSpec, HostView, serving_command
from mlops_pipeline.delivery.journal import Retreat
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.reflex import CandidateReflex
from mlops_pipeline.delivery.router import ClusterCounters, cluster_name
from mlops_pipeline.delivery.switchboard import RouteCommand, Switchboard
from mlops_pipeline.delivery.testers import tester_key
from mlops_pipeline.delivery.view import NodeView, RollbackOrder
from mlops_pipeline.errors import DeliveryError, MlopsError
from mlops_pipeline.settings import Settings

REFLEX_SECONDS = 0.05
SUPERVISE_SECONDS = 0.2
STOP_SECONDS = 10.0
BLIND_SECONDS = 20.0  # for which an unreachable router waits for its servers
logger = logging.getLogger(__name__)


class Node:
    """One serving node; `run` returns after SIGTERM, SIGINT or `stop`."""

    def __init__(
        self,
        settings: Settings,
        *,
        command: HostCommand | None = None,
        router: type[EnvoyRouter] = EnvoyRouter,
        log_limit: int = access_log.FILE_LIMIT,
    ) -> None:
        self._settings = settings
        self._log_limit = log_limit
        folder = settings.home / "node"
        self._access_log = access_log.access_log_path(settings.home)
        book = ProcessBook(folder / "processes", folder / "logs")
        place = EnvoyPlace(
            settings.port,
            settings.runtime_dir / "envoy-admin.sock",
            folder / "xds",
            self._access_log,
            settings.edge,
            collector=settings.collector,
        )
        self._book = book
        self._router = router(place, book, spare=settings.runtime_dir / "xds")
        self._hosts = Hosts(book, settings.runtime_dir, command or serving_command(settings))
        self._ballast = Ballast(folder / "ballast")
        self._switch = Switchboard(
            self._router,
            folder / "journal.json",
            self._hosts.endpoints,
            make_room=self._ballast.drop,
            tester_key=tester_key(settings),
        )
        self._door = ControlDoor(control_app(self), settings.node_socket)
        self._reflexes: dict[str, CandidateReflex] = {}
        self._log = access_log.AccessLog(self._access_log)
        self._stop = threading.Event()
        self._pause = SUPERVISE_SECONDS
        self._next_boot = 0.0
        self._blind_since = 0.0

    def run(self) -> None:
        """Router, hosts and control interface serve until somebody says stop; then they end.

        Raises:
            DeliveryError: another node runs on the same runtime folder, or the router cannot start.
        """
        with only_node(self._settings.home / "node", self._settings.runtime_dir):
            self._listen_to_signals()
            self._boot()
            self._serve()
            self._router.stop(STOP_SECONDS)
            self._hosts.stop_all()
            self._router.close()

    def stop(self) -> None:
        """`run` will return."""
        self._stop.set()

    def state(self) -> NodeView:
        """See `Controlled.state`."""
        journal = self._switch.journal
        return NodeView(
            pid=os.getpid(),
            port=self._settings.port,
            router_pid=self._router.pid,
            router_alive=self._router.alive(),
            route_version=f"r{journal.serial}",
            access_log=str(self._access_log),
            routes=journal.routes,
            hosts=tuple(self._hosts.views().values()),
            retreats=journal.retreats,
            counters=self._counters(),
        )

    def ensure_host(self, spec: HostSpec) -> HostView:
        """See `Controlled.ensure_host`."""
        view = self._hosts.ensure(spec)
        self._switch.remember_host(spec)
        return view

    def stop_host(self, model: str, version: str) -> None:
        """See `Controlled.stop_host`."""
        self._switch.forget_host(model, version)
        self._hosts.stop(model, version)

    def put_routes(self, command: RouteCommand) -> str:
        """See `Controlled.put_routes`; a version whose host is not ready gets no traffic."""
        arms = command.arms
        views = self._hosts.views()
        needed = arms.versions if arms.weight or arms.shadow else (arms.stable,)
        for version in needed:
            view = views.get((arms.model, version))
            if view is None or not view.alive:
                raise DeliveryError(
                    f"{cluster_name(arms.model, version)} is not served by this node; "
                    "ensure its host and wait until it is ready"
                )
        return self._switch.put(command)

    def roll_back(self, model: str, order: RollbackOrder) -> Retreat:
        """See `Controlled.roll_back`."""
        routes = self._switch.journal.routes.get(model)
        elsewhere = routes is None or routes.arms.salt != order.salt
        if order.salt is not None and order.version is not None and elsewhere:
            return self._switch.bar(
                *(model, order.version, order.salt),
                cause=order.reason,
                by=order.by,
                condemns=order.condemns,
            )
        return self._switch.retreat(
            model, cause=order.reason, by=order.by, to=order.to, condemns=order.condemns
        )

    def _serve(self) -> None:
        """Control interface, reflex and supervision run until somebody says stop."""
        self._door.open()
        threads = [
            self._watch("reflex", self._reflex, REFLEX_SECONDS),
            self._watch("supervision", self._supervise, SUPERVISE_SECONDS),
        ]
        for thread in threads:
            thread.start()
        logger.info("event=node_ready pid=%d port=%d", os.getpid(), self._settings.port)
        self._stop.wait()
        for thread in threads:
            thread.join(STOP_SECONDS)
        self._door.close()

    def _boot(self) -> None:
        for spec in self._switch.journal.hosts:
            self._hosts.ensure(spec)
        self._book.end_strays(["envoy", *self._hosts.names()])
        self._log.position = access_log.end_of(self._access_log)
        self._router.boot(self._switch.next_plan())

    def _reflex(self) -> None:
        """Every candidate with traffic was looked at once."""
        lines = list(self._log.read())
        counters = self._counters()
        for model, routes in self._switch.journal.routes.items():
            arms = routes.arms
            if arms.candidate is None or arms.weight == 0:
                self._reflexes.pop(model, None)
                continue
            name = cluster_name(model, arms.candidate)
            reflex = self._reflexes.get(model)
            if reflex is None or (reflex.cluster, reflex.salt) != (name, arms.salt):
                reflex = CandidateReflex(name, arms.salt, routes.consecutive_failures)
                self._reflexes[model] = reflex
            runs = self._hosts.serves(model, arms.candidate)
            alarm = reflex.look(lines, counters.get(name), process_runs=runs)
            if alarm is not None:
                self._switch.retreat(
                    model,
                    cause=alarm.cause,
                    by="reflex",
                    bad=alarm.bad,
                    condemns=alarm.condemns,
                )

    def _supervise(self) -> None:
        """Dead children were started again, and those that lost their sockets were replaced; the
        log was rotated where it is long."""
        self._door.mend()
        self._hosts.tick()
        self._ballast.load()
        if self._router.alive():
            self._pause = SUPERVISE_SECONDS
            self._router.tick()
            self._mend_router()
            gone = not self._access_log.exists()
            if access_log.rotate(self._access_log, limit=self._log_limit) or gone:
                self._router.reopen_logs()
            self._switch.settle()
        elif time.monotonic() >= self._next_boot:
            self._next_boot = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, 5.0)
            with self._switch.lock:
                logger.warning("event=router_ended log=%r", self._book.tail("envoy", 400))
                self._router.restart(self._switch.next_plan())

    def _mend_router(self) -> None:
        """A router whose admin socket was deleted is replaced, after the servers that it needs."""
        now = time.monotonic()
        if self._router.reachable():
            self._blind_since = now
        elif not self._hosts.replacing() or now - self._blind_since > BLIND_SECONDS:
            logger.warning("event=admin_socket_gone")
            with self._switch.lock:
                self._router.renew(self._switch.next_plan())

    def _counters(self) -> dict[str, ClusterCounters]:
        if not self._router.alive():
            return {}
        try:
            return dict(self._router.observe())
        except DeliveryError as error:
            logger.warning("event=counters_unknown error=%s", error)
            return {}

    def _watch(self, name: str, act: Callable[[], None], every: float) -> threading.Thread:
        """A thread that acts again and again: one failed look must not end the watch."""

        def watch() -> None:
            while not self._stop.wait(every):
                try:
                    act()
                except (MlopsError, OSError):
                    logger.exception("event=look_failed watch=%s", name)

        return threading.Thread(target=watch, name=name)

    def _listen_to_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        logger.info("event=node_stopping signal=%d", number)
        self._stop.set()
