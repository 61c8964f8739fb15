"""Model servers on this machine: one process a version, on its own unix socket.

A host that ends is started again, each time after a longer pause; what decides about its traffic is
the reflex, not the restart. A host whose socket somebody deleted is out of reach for ever: another
one takes its place, and the old one ends when the new one is ready.
"""

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from mlops_pipeline.delivery.processes import Child, ProcessBook
from mlops_pipeline.delivery.unix import listens
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.registry.keys import TRUSTED
from mlops_pipeline.settings import Settings

FIRST_PAUSE = 0.2  # seconds before the first restart; doubled each time
LONGEST_PAUSE = 10.0
STEADY_AFTER = 30.0  # seconds of health after which the pauses start over
PROBE_SECONDS = 1.0
STOP_SECONDS = 10.0
START_SECONDS = 30.0  # within which a server has made its socket
logger = logging.getLogger(__name__)

Key = tuple[str, str]  # model, version


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One version to be served. `fault` is for drills and is passed on as it is."""

    model: str
    version: str
    bundle: str  # folder of the unpacked, verified bundle
    fault: str | None = None

    @property
    def key(self) -> Key:
        """Which version it is."""
        return self.model, self.version


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as its supervisor sees it."""

    spec: HostSpec
    socket: str
    pid: int | None
    alive: bool
    ready: bool  # its last health probe was good
    restarts: int


HostCommand = Callable[[HostSpec, Path], list[str]]  # (spec, socket) -> command line


def serving_command(settings: Settings) -> HostCommand:
    """The command line of our own model server; the one place that knows it."""

    def command(spec: HostSpec, socket: Path) -> list[str]:
        argv = [sys.executable, "-m", "mlops_pipeline.serving"]
        argv += ["--bundle", spec.bundle, "--model", spec.model, "--version", spec.version]
        argv += ["--trust", str(settings.keys / TRUSTED)]
        argv += ["--features", str(settings.feature_snapshots / spec.model)]
        argv += ["--log", str(settings.request_log / spec.model / spec.version)]
        argv += ["--uds", str(socket)]
        return argv + (["--fault", spec.fault] if spec.fault else [])

    return command


@dataclass(slots=True)
class _Host:
    spec: HostSpec
    socket: Path
    child: Child | None = None
    ready: bool = False
    restarts: int = 0
    pause: float = FIRST_PAUSE
    since: float = 0.0  # monotonic time of the last start
    next_start: float = 0.0
    leaving: Child | None = None  # out of reach; it answers what it has until the new one is ready


class Hosts:
    """Every host of one node, supervised by whoever calls `tick`."""

    def __init__(self, book: ProcessBook, sockets: Path, command: HostCommand) -> None:
        self._book = book
        self._sockets = sockets
        self._command = command
        self._hosts: dict[Key, _Host] = {}
        self._lock = threading.RLock()

    def ensure(self, spec: HostSpec) -> HostView:
        """The host runs, though it may not be ready yet; a live one is taken as it is.

        Raises:
            DeliveryError: the version is served from another bundle or with another fault already.
        """
        with self._lock:
            known = self._hosts.get(spec.key)
            if known is not None and known.spec != spec:
                raise DeliveryError(
                    f"{spec.model} version {spec.version} is served as {known.spec}, not as {spec};"
                    " a version never changes: stop its host first"
                )
            if known is None:
                known = _Host(spec, self._sockets / socket_name(spec.model, spec.version))
                known.child = self._book.adopt(_name(known), self._argv(known))
                self._hosts[spec.key] = known
                if known.child is None:
                    self._start(known, time.monotonic())
            return _view(known)

    def stop(self, model: str, version: str) -> None:
        """The host ended after it answered what it had; nothing happens where there is none."""
        with self._lock:
            host = self._hosts.pop((model, version), None)
        if host is not None:
            for child in (host.leaving, host.child):
                if child is not None:
                    child.stop(STOP_SECONDS)
            self._book.forget(_name(host))
            host.socket.unlink(missing_ok=True)

    def stop_all(self) -> None:
        """Every host ended."""
        for model, version in list(self._hosts):
            self.stop(model, version)

    def tick(self) -> None:
        """Hosts that ended are started again when their pause is over; the others are probed."""
        for host in list(self._hosts.values()):
            now = time.monotonic()
            if host.child is None or not host.child.alive():
                self._revive(host, now)
            elif _out_of_reach(host, now):
                self._replace(host, now)
            else:
                host.ready = probe(host.socket)
                if host.ready and host.leaving is not None:
                    host.leaving.stop(STOP_SECONDS)
                    host.leaving = None
                if host.ready and now - host.since > STEADY_AFTER:
                    host.pause = FIRST_PAUSE

    def views(self) -> Mapping[Key, HostView]:
        """Every host, by model and version."""
        return {key: _view(host) for key, host in list(self._hosts.items())}

    def serves(self, model: str, version: str) -> bool:
        """Whether the host's process runs."""
        host = self._hosts.get((model, version))
        return host is not None and host.child is not None and host.child.alive()

    def replacing(self) -> bool:
        """Whether a host is still waiting for the one that takes its place."""
        return any(host.leaving is not None for host in list(self._hosts.values()))

    def endpoints(self) -> dict[Key, str]:
        """The socket of every host."""
        return {key: str(host.socket) for key, host in list(self._hosts.items())}

    def names(self) -> list[str]:
        """What the journal calls them."""
        return [_name(host) for host in list(self._hosts.values())]

    def _revive(self, host: _Host, now: float) -> None:
        with self._lock:
            if self._hosts.get(host.spec.key) is not host:
                return
            if host.ready or not host.next_start:
                tail = self._book.tail(_name(host), 400).strip()
                logger.warning("event=host_ended host=%s log=%r", _name(host), tail)
                host.ready = False
                host.next_start = now + host.pause
                host.pause = min(host.pause * 2, LONGEST_PAUSE)
            if now >= host.next_start:
                host.restarts += 1
                host.next_start = 0.0
                self._start(host, now)

    def _replace(self, host: _Host, now: float) -> None:
        """Another process listens where nobody can reach the present one any more."""
        with self._lock:
            if self._hosts.get(host.spec.key) is not host:
                return
            logger.warning("event=host_out_of_reach host=%s socket=%s", _name(host), host.socket)
            if host.leaving is not None:
                host.leaving.stop(STOP_SECONDS)
            host.leaving, host.ready = host.child, False
            host.restarts += 1
            host.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._start(host, now)

    def _start(self, host: _Host, now: float) -> None:
        host.socket.unlink(missing_ok=True)
        env = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        host.child = self._book.start(_name(host), self._argv(host), env)
        host.since = now

    def _argv(self, host: _Host) -> list[str]:
        return self._command(host.spec, host.socket)


def probe(socket: Path, timeout: float = PROBE_SECONDS) -> bool:
    """Whether the host at `socket` says that it is ready."""
    if not listens(socket, timeout):
        return False
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket), verify=False), timeout=timeout
        ) as ask:
            return ask.get("http://host/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _out_of_reach(host: _Host, now: float) -> bool:
    """Whether the process runs, but its socket is gone; a new one may not have made it yet."""
    made = host.ready or now - host.since > START_SECONDS
    return made and not host.socket.exists()


def socket_name(model: str, version: str) -> str:
    """A short name, because the path of a unix socket may not be long."""
    mark = hashlib.sha256(f"{model}|{version}".encode()).hexdigest()[:8]
    return f"h-{mark}.sock"


def _name(host: _Host) -> str:
    return f"host-{host.spec.model}-v{host.spec.version}"


def _view(host: _Host) -> HostView:
    alive = host.child is not None and host.child.alive()
    pid = host.child.pid if alive and host.child is not None else None
    return HostView(host.spec, str(host.socket), pid, alive, alive and host.ready, host.restarts)
