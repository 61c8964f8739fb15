"""What a rollout touches: the ledger, the serving node, bundles, logs, and users' own way in."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import httpx
from sqlalchemy import Connection, Engine

from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.hosts import HostSpec, HostView
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.incidents import IncidentSeverity
from mlops_pipeline.ledger.rollouts import RolloutRow
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.bundle import CONTRACT
from mlops_pipeline.settings import Settings

PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a user's request showed: which cluster answered, under which routes."""

    status: int
    served_by: str
    route_version: str


class Runbook(StrEnum):
    """Where it stands what to do: a page of `docs/runbooks/`."""

    ROLLED_BACK = "rolled_back"
    BREAK_GLASS = "break_glass"
    REFUSES = "candidate_refuses"


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody must be told."""

    model: str
    cause: str  # equal causes are one incident
    summary: str
    detail: Mapping[str, object]
    runbook: Runbook


class Notify(Protocol):
    """Tells of a rollback; called inside the transaction that records it."""

    def __call__(self, tx: Connection, notice: Notice, *, now: datetime) -> None:
        """The notice will be delivered if the transaction is committed."""
        ...


Labels = Callable[[str], Mapping[str, float]]  # model: 1 or 0 by prediction id, as known now
Probe = Callable[[str, str], ProbeAnswer]  # (model, unit): one harmless request of that unit
BundleFolder = Callable[[VersionRow], Path]  # the unpacked, verified bundle of a version


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a step of a rollout reads and moves."""

    engine: Engine
    node: NodeClient
    settings: Settings
    bundle_folder: BundleFolder
    probe: Probe
    notify: Notify
    fault: Callable[[VersionRow], str | None] = lambda version: None  # drills only
    blockers: Callable[[VersionRow], tuple[str, ...]] = lambda version: ()  # why it may not serve
    contract_of: Callable[[VersionRow], ModelContract | None] = lambda version: None
    labels: Labels = lambda model: {}
    clock: Callable[[], float] = time.monotonic


def open_world(
    settings: Settings,
    engine: Engine,
    *,
    fault: Callable[[VersionRow], str | None] | None = None,
    labels: Labels = lambda model: {},
) -> World:
    """The world of this installation.

    Args:
        fault: names the drill that a version is served with.
        labels: what became of predictions, from whoever knows; without it nobody does.
    """
    objects = ObjectStore(settings.objects)
    return World(
        engine=engine,
        node=NodeClient(settings.node_socket),
        settings=settings,
        bundle_folder=lambda v: objects.check_out(v.bundle, settings.bundles / v.bundle),
        probe=http_probe(settings.port),
        notify=raise_incident,
        fault=fault or (lambda version: drilled(settings, version)),
        blockers=lambda version: _blockers(settings, engine, version),
        contract_of=lambda version: _contract_of(objects, version),
        labels=labels,
    )


def _contract_of(objects: ObjectStore, version: VersionRow) -> ModelContract | None:
    """The contract in the version's bundle; None in a rehearsal's bundle, which holds none."""
    files: dict[str, str] = objects.get_json(version.bundle)
    return parse_contract_json(objects.get(files[CONTRACT])) if CONTRACT in files else None


def _blockers(settings: Settings, engine: Engine, version: VersionRow) -> tuple[str, ...]:
    from mlops_pipeline.registry.checklist import blockers  # with pandas: only when it is asked
    from mlops_pipeline.registry.proof import Stores

    stores = Stores(settings, engine, ObjectStore(settings.objects))
    return blockers(stores, version, now=datetime.now(UTC))


def drilled(settings: Settings, version: VersionRow) -> str | None:
    """The fault that the settings' drill gives this version."""
    drill = settings.drill
    if drill is None or (drill.model, drill.version) != (version.model, version.version):
        return None
    return drill.fault


def http_probe(port: int) -> Probe:
    """Asks the router for a model's health, as a user of that unit would."""

    def probe(model: str, unit: str) -> ProbeAnswer:
        url = f"http://127.0.0.1:{port}/{model}/healthz"
        try:
            # Plain HTTP on loopback: reading the store of certificates would cost 30 ms a request.
            with httpx.Client(verify=False, trust_env=False, timeout=PROBE_SECONDS) as ask:
                answer = ask.get(url, headers={"x-unit": unit})
        except httpx.HTTPError as error:
            raise DeliveryError(f"{url} does not answer: {error!r}; is the router up?") from error
        served_by = answer.headers.get("x-served-by", "")
        return ProbeAnswer(answer.status_code, served_by, answer.headers.get("x-route-version", ""))

    return probe


def raise_incident(tx: Connection, notice: Notice, *, now: datetime) -> None:
    """The ledger has an open incident, and its alert waits in the outbox."""
    incidents.raise_incident(
        tx,
        notice.model,
        cause=notice.cause,
        severity=IncidentSeverity.CRITICAL,
        summary=notice.summary,
        detail={**notice.detail, "runbook": f"docs/runbooks/{notice.runbook}.md"},
        now=now,
    )


def salt_of(row: RolloutRow) -> str:
    """What the rollout's assignment is salted with, and how the router's log names it."""
    return f"rollout-{row.id}"


def ensure_host(world: World, version: VersionRow) -> HostView:
    """The node runs a server of that version; it may still be loading."""
    folder = world.bundle_folder(version)
    spec = HostSpec(version.model, version.version, str(folder), world.fault(version))
    return world.node.ensure_host(spec)


def await_host(world: World, version: VersionRow, *, timeout: float) -> HostView:
    """The version's server has made its first prediction.

    Raises:
        DeliveryError: it did not within `timeout` seconds.
    """
    view = ensure_host(world, version)
    give_up = world.clock() + timeout
    while not view.ready:
        if world.clock() > give_up:
            raise DeliveryError(
                f"{version.model} version {version.version} was not ready within {timeout} s; "
                f"see {world.settings.home / 'node' / 'logs'}"
            )
        time.sleep(0.05)
        view = world.node.state().host(version.model, version.version) or view
    return view
