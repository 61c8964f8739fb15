"""A scratch instance under load: a node over stand-in servers, a ledger, users who keep asking."""

import itertools
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Approvals, Guard, Rollout
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.delivery.drills.database import Database
from mlops_pipeline.delivery.drills.outages import Failure, Hurt
from mlops_pipeline.delivery.drills.scratch_node import scratch_settings
from mlops_pipeline.delivery.drills.worker import Point, Workers, scratch_world
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.delivery.settle import settle
from mlops_pipeline.delivery.start import deploy_first, start_rollout
from mlops_pipeline.delivery.world import World
from mlops_pipeline.errors import DeliveryError, MlopsError, NodeUnreachable
from mlops_pipeline.ledger import audit, champion, rollouts, versions
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.serving.client import Reply
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayRequest
from mlops_pipeline.settings import PACKAGE_MODELS, Settings

MODEL = "flight_delay"
GOOD = "2"
SETTLE_SECONDS = 10.0  # within which pointer, router and alias agree
PATIENCE = 60.0
RATE = 150.0


def drill_contract() -> ModelContract:
    """The shipped contract with a rollout that ends within seconds."""
    rollout = Rollout(
        shadow_requests=40,
        max_score_shift=0.2,
        steps=(10, 50, 100),
        requests_per_step=60,
        guards=(Guard(name="error", budget=0.05), Guard(name="slow", over_ms=400, budget=0.2)),
        step_deadline_minutes=10,
    )
    contract = load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")
    return contract.model_copy(update={"rollout": rollout, "approvals": Approvals()})


@dataclass
class Scene:
    """Everything a drill may hurt, and what users saw of it."""

    settings: Settings
    world: World
    workers: Workers
    contract: ModelContract
    database: Database | None = None  # of the ledger, where it can be killed
    node: subprocess.Popen[bytes] | None = None
    hurt: Hurt = field(default_factory=Hurt)
    traffic: BackgroundReplay | None = None
    alias: str | None = None  # what the registry would show

    def start_node(self) -> None:
        """A node runs and answers."""
        said = (self.settings.home, self.settings.runtime_dir, self.settings.port)
        argv = [sys.executable, "-m", "mlops_pipeline.delivery.drills.scratch_node"]
        with (self.settings.home / "node.log").open("ab") as log:
            self.node = subprocess.Popen(
                [*argv, *map(str, said)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.until("the node answers", self.node_answers)

    def node_answers(self) -> bool:
        """Whether its control socket answers."""
        try:
            self.world.node.state()
        except NodeUnreachable:
            return False
        return True

    def add_version(self, name: str) -> None:
        """The ledger knows the version, whose bundle holds nothing but its name."""
        bundle = ObjectStore(self.settings.objects).put_tree({"version": name.encode()})
        with transaction(self.world.engine) as tx:
            versions.add(tx, MODEL, name, bundle=bundle, lineage=f"l-{name}", now=now())

    def begin(self, candidate: str = GOOD) -> RolloutRow:
        """A rollout is planned."""
        return start_rollout(
            self.world, self.contract, candidate=candidate, reason="drill", now=now()
        )

    def row(self, rollout: int) -> RolloutRow:
        """As the ledger has it."""
        with reading(self.world.engine) as tx:
            return rollouts.get(tx, rollout)

    def step(self, rollout: int, point: Point = Point.NEVER) -> int:
        """A worker took a step, or died at `point`."""
        return self.workers.step(rollout, point)

    def drive(
        self,
        rollout: int,
        *,
        to: RolloutState | None = None,
        weight: int = 0,
        each: Callable[[], Point] = lambda: Point.NEVER,
    ) -> RolloutRow:
        """Steps were taken until the rollout ended, or reached a state (and weight)."""
        give_up = time.monotonic() + PATIENCE
        while True:
            row = self.row(rollout)
            if row.state in rollouts.ENDED:
                return row
            if to is not None and row.state is to and self.weight() >= weight:
                return row
            if time.monotonic() > give_up:
                raise DeliveryError(f"the rollout did not end: {row.state}, {row.reason}")
            self.step(rollout, each())
            time.sleep(0.02)

    def weight(self) -> int:
        """The candidate's at the router."""
        try:
            routes = self.world.node.state().routes.get(MODEL)
        except NodeUnreachable:
            return 0
        return 0 if routes is None else routes.arms.weight

    def until(self, what: str, holds: Callable[[], bool], seconds: float = 30.0) -> float:
        """Seconds until it held.

        Raises:
            DeliveryError: it did not; the message says what.
        """
        began = time.monotonic()
        while not holds():
            if time.monotonic() > began + seconds:
                raise DeliveryError(f"within {seconds:g} s it did not happen that {what}")
            time.sleep(0.02)
        return time.monotonic() - began

    def settled(self) -> float:
        """Seconds until pointer, router and alias named one version, everybody's."""
        return self.until("pointer, router and alias agree", self._agree, SETTLE_SECONDS)

    def _agree(self) -> bool:
        """As the sensor's next step does: settle, then look."""
        try:
            settle(self.world, MODEL, now=now())
            routes = self.world.node.state().routes[MODEL]
        except (MlopsError, KeyError):
            return False
        with reading(self.world.engine) as tx:
            leading = champion.read(tx, MODEL)
        self.alias = None if leading is None else leading.version
        if leading is None or routes.arms.versions != (leading.version,):
            return False
        try:
            answers = {self.world.probe(MODEL, f"probe-{n}").served_by for n in range(5)}
        except DeliveryError:
            return False
        return answers == {cluster_name(MODEL, leading.version)}

    def audited(self) -> int:
        """Entries of the audit chain, all of them verified."""
        with reading(self.world.engine) as tx:
            audit.verify(tx)
            return len(audit.entries(tx))

    @property
    def sent(self) -> int:
        """Requests so far."""
        return 0 if self.traffic is None else self.traffic.progress.sent

    def users_go_on(self, more: int = 100) -> None:
        """That many more requests were sent."""
        goal = self.sent + more
        self.until(f"{more} more requests are sent", lambda: self.sent >= goal)

    def heard(self, request: ReplayRequest, reply: Reply) -> None:
        """One answer to a user."""
        if reply.failure is not None or reply.status >= 400:
            heard = time.monotonic()
            by = (reply.headers or {}).get("x-served-by")
            how = reply.failure or f"http_{reply.status}"
            self.hurt.failures.append(
                Failure(heard - reply.seconds, heard, by if by not in ("", "-") else None, how)
            )


def quiet(holds: Callable[[], bool]) -> bool:
    """Whether it holds; what cannot be asked now does not."""
    with suppress(MlopsError):
        return holds()
    return False


def now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


def free_port(first: int | None = None) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", first or 0))
        return int(probe.getsockname()[1])


@contextmanager
def scene(
    home: Path,
    *,
    faults: dict[str, str] | None = None,
    port: int | None = None,
    ledger: Database | None = None,
    contract: ModelContract | None = None,
) -> Iterator[Scene]:
    """Version 1 serves under load; when the drill is over every process of the scene is gone."""
    home.mkdir(parents=True, exist_ok=True)
    runtime = Path(tempfile.mkdtemp(prefix="md", dir="/tmp"))
    settings = scratch_settings(
        home, runtime, port or free_port(), ledger.url if ledger is not None else ""
    )
    chosen = dict(faults or {})
    world = scratch_world(settings, chosen)
    hurt = Hurt(frozenset(cluster_name(MODEL, version) for version in chosen))
    workers = Workers(settings, chosen)
    built = Scene(settings, world, workers, contract or drill_contract(), ledger, hurt=hurt)
    with ExitStack() as after:
        after.callback(shutil.rmtree, runtime, ignore_errors=True)
        after.callback(_end_everything, built)
        built.start_node()
        for name in ("1", GOOD, *chosen):
            built.add_version(name)
        deploy_first(world, built.contract, version="1", reason="drill", now=now())
        url = f"http://127.0.0.1:{settings.port}/{MODEL}/predict"
        requests = (ReplayRequest(f"r-{n}", f"u-{n}", b"{}") for n in itertools.count())
        built.traffic = BackgroundReplay(
            url, requests, rate=RATE, concurrency=4, listener=built.heard
        )
        with built.traffic:
            built.users_go_on(20)
            yield built


def _end_everything(built: Scene) -> None:
    if built.node is not None and built.node.poll() is None:
        built.node.terminate()
        try:
            built.node.wait(15)
        except subprocess.TimeoutExpired:
            built.node.kill()
            built.node.wait(5)
    _end_strays(built.settings)
    built.world.node.close()
    built.world.engine.dispose()


def _end_strays(settings: Settings) -> None:
    """Servers that a killed node left behind; they carry its folder in their environment."""
    folder = settings.home / "node"
    try:
        ProcessBook(folder / "processes", folder / "logs").end_strays(())
    except (OSError, psutil.Error):
        return
