"""`mlops metrics`: one page for Prometheus over everything on this machine.

The servers' own pages, which are on unix sockets, are joined with what the node, the processes and
the ledger say:

| metric | labels | |
|---|---|---|
| `mlops_node_up`, `mlops_router_up` | | the node answers; Envoy lives |
| `mlops_host_ready`, `mlops_host_restarts` | model, version | |
| `mlops_host_memory_bytes`, `mlops_host_cpu_seconds_total` | model, version | |
| `mlops_route_weight` | model, version, role | share of users, 0 to 1 |
| `mlops_router_requests_total` | cluster, outcome | good or bad, as Envoy counts |
| `mlops_retreats_total` | | rollbacks that the node made by itself |
| `mlops_state_bytes` | | size of the home's file system that is in use |
"""

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from wsgiref.simple_server import WSGIRequestHandler, make_server

import click
import httpx
import psutil
from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from mlops_pipeline.contract.load import find_contracts
from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.view import NodeView
from mlops_pipeline.errors import MlopsError
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.monitoring.heartbeat import last_beat
from mlops_pipeline.monitoring.metrics import ledger_families
from mlops_pipeline.settings import Settings, read_settings

PATIENCE = 2.0  # seconds for one server's page
VERSION = ["model", "version"]


@click.command()
@click.option("--port", default=9464, show_default=True, help="On loopback.")
@click.option("--once", is_flag=True, help="Print the page and end.")
def metrics(port: int, once: bool) -> None:
    """Serve metrics of the servers, the node and the ledger to Prometheus, until Ctrl-C."""
    registry = registry_of(read_settings())
    if once:
        click.echo(generate_latest(registry).decode(), nl=False)
        return
    app = make_wsgi_app(registry)
    with make_server("127.0.0.1", port, app, handler_class=_Silent) as server:
        click.echo(f"http://127.0.0.1:{server.server_port}/metrics")
        server.serve_forever()


def registry_of(settings: Settings) -> CollectorRegistry:
    """A registry that asks everybody at each scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything(settings))
    return registry


class Everything(Collector):
    """Node, servers and ledger; one that does not answer leaves its own metrics out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._node = NodeClient(settings.node_socket)
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Every family as it stands."""
        with self._lock:
            view = self._view()
            yield _gauge("node_up", "the node answers", [], [([], view is not None)])
            if view is not None:
                yield from node_families(view)
                yield from served_families(view)
            used = shutil.disk_usage(self._settings.home).used
            yield _gauge("state_bytes", "used on the home's file system", [], [([], used)])
            self._engine = self._engine or open_ledger(self._settings.ledger_url)
            models = find_contracts(self._settings.contract_folders)
            with reading(self._engine) as tx:
                now, heard = datetime.now(UTC), last_beat(self._settings.home)
                yield from ledger_families(tx, models, now=now, heard=heard)

    def _view(self) -> NodeView | None:
        try:
            return self._node.state()
        except MlopsError:
            return None


def node_families(view: NodeView) -> Iterator[Metric]:
    """What the node and its processes say."""
    yield _gauge("router_up", "Envoy lives", [], [([], view.router_alive)])
    hosts = [(host, [host.spec.model, host.spec.version]) for host in view.hosts]
    yield _gauge("host_ready", "answers probes", VERSION, [(n, h.ready) for h, n in hosts])
    yield _gauge(
        "host_restarts", "since the node began", VERSION, [(n, h.restarts) for h, n in hosts]
    )
    memory, cpu = [], CounterMetricFamily("mlops_host_cpu_seconds", "CPU time", labels=VERSION)
    for host, name in hosts:
        try:
            process = psutil.Process(host.pid) if host.pid else None
            if process is not None:
                memory.append((name, float(process.memory_info().rss)))
                times = process.cpu_times()
                cpu.add_metric(name, times.user + times.system)
        except psutil.Error:
            continue
    yield _gauge("host_memory_bytes", "resident memory", VERSION, memory)
    yield cpu
    weights = []
    for model, routes in view.routes.items():
        arms = routes.arms
        share = arms.weight / 10_000
        weights.append(([model, arms.stable, "stable"], 1 - share if arms.candidate else 1.0))
        if arms.candidate:
            weights.append(([model, arms.candidate, "candidate"], share))
    yield _gauge("route_weight", "share of users", [*VERSION, "role"], weights)
    requests = CounterMetricFamily(
        "mlops_router_requests", "as Envoy counts", labels=["cluster", "outcome"]
    )
    for cluster, counts in view.counters.items():
        requests.add_metric([cluster, "good"], counts.good)
        requests.add_metric([cluster, "bad"], counts.bad)
    yield requests
    retreats = CounterMetricFamily("mlops_retreats", "rollbacks by the node itself")
    retreats.add_metric([], len(view.retreats))
    yield retreats


def served_families(view: NodeView) -> Iterator[Metric]:
    """The pages of all live servers, joined family by family."""
    joined: dict[str, Metric] = {}
    for host in view.hosts:
        if not host.alive:
            continue
        names = {"model": host.spec.model, "version": host.spec.version}
        for family in _page(host.socket):
            known = joined.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                known.add_sample(sample.name, {**names, **sample.labels}, sample.value)
    yield from joined.values()


def _page(socket: str) -> Iterator[Metric]:
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=socket), timeout=PATIENCE) as client:
            text = client.get("http://server/metrics").text
    except httpx.HTTPError:
        return
    yield from text_string_to_metric_families(text)


def _gauge(
    name: str, told: str, labels: list[str], rows: list[tuple[list[str], float | bool]]
) -> Metric:
    family = GaugeMetricFamily(f"mlops_{name}", told, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each scrape."""
