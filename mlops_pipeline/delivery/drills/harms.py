"""Processes that a drill kills: which they are, what is down meanwhile, when it is over."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mlops_pipeline.delivery.drills.outages import Outage
from mlops_pipeline.delivery.drills.scene import MODEL, Scene, quiet
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import rollouts
from mlops_pipeline.ledger.store import reading

BEFORE_MENDING = 15  # requests that users send while it is down


@dataclass(frozen=True, slots=True)
class Harm:
    """One kind of process that may be killed."""

    name: str
    pids: Callable[[Scene], list[int]]  # to be killed, in this order
    down: Callable[[Scene], tuple[str, ...] | None]  # clusters that cannot answer; None: all can
    mend: Callable[[Scene, list[int]], None]  # returns when it is over


def kill(scene: Scene, harm: Harm) -> Outage | None:
    """SIGKILL, users go on, and it is over; the outage, where users may notice one."""
    pids = harm.pids(scene)
    began = time.monotonic()
    down = harm.down(scene)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return over(scene, harm, pids, down, began=began)


def over(
    scene: Scene, harm: Harm, pids: list[int], down: tuple[str, ...] | None, *, began: float
) -> Outage | None:
    """These processes were killed at `began`: users go on, and what was hurt works again."""
    outage = None if down is None else scene.hurt.down(harm.name, *down, since=began)
    scene.users_go_on(BEFORE_MENDING)
    harm.mend(scene, pids)
    if outage is not None:
        outage.ended = time.monotonic()
    return outage


def _node(scene: Scene) -> list[int]:
    assert scene.node is not None
    return [scene.node.pid]


def _start_node(scene: Scene, pids: list[int]) -> None:
    assert scene.node is not None
    scene.node.wait(10)
    scene.start_node()


def _router(scene: Scene) -> list[int]:
    pid = scene.world.node.state().router_pid
    if pid is None:
        raise DeliveryError("no router runs that could be killed")
    return [pid]


def _until_routed(scene: Scene, pids: list[int]) -> None:
    """Another Envoy counts and answers a user's request."""

    def routed() -> bool:
        view = scene.world.node.state()
        other = view.router_alive and view.router_pid not in (None, *pids)
        return other and bool(view.counters) and scene.world.probe(MODEL, "u").status == 200

    scene.until("another Envoy answers", lambda: quiet(routed))


def server(version: str, scene: Scene) -> list[int]:
    host = scene.world.node.state().host(MODEL, version)
    if host is None or host.pid is None:
        raise DeliveryError(f"version {version} has no server that could be killed")
    return [host.pid]


def until_served(version: str, scene: Scene, pids: list[int]) -> None:
    """Another process serves the version, as node and router see it; or no user meets it."""
    cluster = cluster_name(MODEL, version)

    def served() -> bool:
        view = scene.world.node.state()
        host, seen = view.host(MODEL, version), view.counters.get(cluster)
        again = host is not None and host.ready and host.pid not in (None, *pids)
        return again and (seen is None or seen.healthy_hosts > 0)

    def met() -> bool:
        routes = scene.world.node.state().routes.get(MODEL)
        return routes is not None and routes.arms.answers(version)

    scene.until(f"version {version} is served again", lambda: quiet(lambda: served() or not met()))


def server_of(who: str, version: Callable[[Scene], str]) -> Harm:
    """The server of one version, found when it is to be killed."""
    return Harm(
        who,
        pids=lambda scene: server(version(scene), scene),
        down=lambda scene: (cluster_name(MODEL, version(scene)),),
        mend=lambda scene, pids: until_served(version(scene), scene, pids),
    )


def _arm(which: str) -> Callable[[Scene], str]:
    """The version of an arm of the newest rollout."""

    def found(scene: Scene) -> str:
        with reading(scene.world.engine) as tx:
            newest = rollouts.all_of(tx, MODEL)[-1]
        return newest.stable if which == "stable" else newest.candidate

    return found


def _database(scene: Scene) -> list[int]:
    if scene.database is None:
        raise DeliveryError("the scene's ledger is a file: there is no database to kill")
    scene.world.engine.dispose()
    return scene.database.pids()


def _start_database(scene: Scene, pids: list[int]) -> None:
    assert scene.database is not None
    scene.until("the ledger's database answers again", scene.database.answers)


NODE = Harm("node", _node, lambda scene: None, _start_node)
ENVOY = Harm("Envoy", _router, lambda scene: (), _until_routed)
STABLE = server_of("stable", _arm("stable"))
CHALLENGER = server_of("challenger", _arm("candidate"))
LEDGER = Harm("ledger database", _database, lambda scene: None, _start_database)
HARMS = (NODE, ENVOY, STABLE, CHALLENGER, LEDGER)
