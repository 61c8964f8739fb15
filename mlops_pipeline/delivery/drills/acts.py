"""What each drill does: the harm, when it is done, and how the rollout must end.

An act raises DeliveryError where something else happened.
"""

import os
import shutil
import signal
import sqlite3
import threading
import time
from datetime import timedelta

from mlops_pipeline.delivery.drills.harms import (
    CHALLENGER,
    ENVOY,
    NODE,
    STABLE,
    kill,
    server,
    until_served,
)
from mlops_pipeline.delivery.drills.scene import GOOD, MODEL, PATIENCE, Scene, now
from mlops_pipeline.delivery.drills.worker import KILLS, Point
from mlops_pipeline.delivery.plan import itinerary, plan_rollout
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.errors import DeliveryError, LedgerError
from mlops_pipeline.ledger import audit, decisions, quarantine
from mlops_pipeline.ledger.rollouts import ENDED, RolloutState
from mlops_pipeline.ledger.store import reading

SMALL_DISK = 64 * 1024 * 1024
BAD = "bad"  # the version that is served with a drill's fault
S = RolloutState


def must(holds: bool, what: str) -> None:
    """Raises DeliveryError where it does not hold."""
    if not holds:
        raise DeliveryError(f"it should be that {what}")


def promoted(scene: Scene, rollout: int) -> None:
    """The rollout goes on to its promotion."""
    row = scene.drive(rollout)
    must(row.state is S.PROMOTED, f"version {row.candidate} is promoted, not {row.state}")


def rolled_back(scene: Scene, rollout: int, *, condemned: bool) -> None:
    """The rollout is rolled back, and its lineage condemned or not."""
    row = scene.drive(rollout)
    must(row.state is S.ROLLED_BACK, f"version {row.candidate} is rolled back, not {row.state}")
    with reading(scene.world.engine) as tx:
        found = quarantine.is_quarantined(tx, MODEL, f"l-{row.candidate}")
    must(found is condemned, f"quarantine of {row.candidate} is {condemned}")


def worker(scene: Scene) -> None:
    """Killed at every point of every step, up to the promotion."""
    rollout = scene.begin().id
    tried: set[tuple[int, Point]] = set()
    killed: dict[Point, int] = dict.fromkeys(KILLS, 0)
    give_up = time.monotonic() + PATIENCE
    while scene.row(rollout).state not in ENDED and time.monotonic() < give_up:
        generation = scene.row(rollout).generation
        left = (point for point in KILLS if (generation, point) not in tried)
        point = next(left, Point.NEVER)
        died = scene.step(rollout, point) == -signal.SIGKILL
        if died or point in (Point.BEFORE_COMMAND, Point.AFTER_COMMAND):
            tried.add((generation, point))  # a step that holds commits nothing: try it again
        if died:
            killed[point] += 1
    must(scene.row(rollout).state is S.PROMOTED, "the good version is promoted")
    must(all(killed.values()), f"it was killed at every point ({killed})")


def worker_in_rollback(scene: Scene) -> None:
    """Killed at every point of a rollback."""
    rollout = scene.begin(BAD).id
    points = iter(KILLS)
    fell = lambda: scene.weight() == 0 and scene.row(rollout).state is not S.PREFLIGHT  # noqa: E731
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    scene.until("the reflex retreats", fell)
    scene.drive(rollout, each=lambda: next(points, Point.NEVER))
    rolled_back(scene, rollout, condemned=True)


def node(scene: Scene) -> None:
    """Killed and started again in shadow and at each weight."""
    rollout = scene.begin().id
    for state, weight in ((S.SHADOW, 0), (S.STEPPING, 1000), (S.STEPPING, 5000)):
        scene.drive(rollout, to=state, weight=weight)
        kill(scene, NODE)
    promoted(scene, rollout)


def envoy(scene: Scene) -> None:
    """Killed in the middle of a step."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    kill(scene, ENVOY)
    scene.users_go_on()
    promoted(scene, rollout)


def stable(scene: Scene) -> None:
    """Killed in the middle of a step; the candidate is not blamed for it."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    kill(scene, STABLE)
    promoted(scene, rollout)


def challenger(scene: Scene) -> None:
    """Killed in the middle of a step: its traffic leaves, but nothing is known against it."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    kill(scene, CHALLENGER)
    scene.until("the reflex retreats", lambda: scene.weight() == 0)
    rolled_back(scene, rollout, condemned=False)


def failing(scene: Scene) -> None:
    """A candidate that fails after it served well; nobody orchestrates while it leaves."""
    rollout = scene.begin(BAD).id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    scene.until("the node retreats without being told", lambda: scene.weight() == 0)
    seen = time.monotonic()
    scene.users_go_on(200)
    late = [failure for failure in scene.hurt.failures if failure.sent > seen]
    must(not late, f"nobody is hurt after the retreat ({len(late)} were)")
    rolled_back(scene, rollout, condemned=True)


def runtime_folder(scene: Scene) -> None:
    """Every socket is deleted in the middle of a step."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    both = ("1", GOOD)
    pids = [pid for version in both for pid in server(version, scene)]
    outage = scene.hurt.down("every socket", *(cluster_name(MODEL, version) for version in both))
    shutil.rmtree(scene.settings.runtime_dir)
    scene.until("the node answers again", scene.node_answers)
    for version in both:
        until_served(version, scene, pids)
    scene.until("the router counts", lambda: bool(scene.world.node.counters()))
    outage.ended = time.monotonic()
    row = scene.drive(rollout)
    must(row.state in (S.PROMOTED, S.ROLLED_BACK), f"the rollout ends, not {row.state}")


def xds_truncated(scene: Scene) -> None:
    """A truncated file lies where Envoy looks when it is started again."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    routes = scene.settings.home / "node" / "xds" / "rds.json"
    routes.write_bytes(routes.read_bytes()[:100])
    kill(scene, ENVOY)
    promoted(scene, rollout)


def xds_unwritable(scene: Scene) -> None:
    """The folder is gone and cannot be made when the candidate must leave."""
    rollout = scene.begin(BAD).id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    folder = scene.settings.home / "node" / "xds"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    scene.until("the reflex retreats", lambda: scene.weight() == 0)
    rolled_back(scene, rollout, condemned=True)


def disk_full(scene: Scene) -> None:
    """No byte is left on the node's disk when the candidate must leave."""
    rollout = scene.begin(BAD).id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    folder = scene.settings.home / "node"
    if os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize > SMALL_DISK:
        raise DeliveryError(f"{folder} is no small disk of its own; this drill would fill yours")
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 65536)

        except OSError:
            pass
    scene.until("the reflex retreats", lambda: scene.weight() == 0)
    scene.users_go_on()
    (folder / "filler").unlink()
    rolled_back(scene, rollout, condemned=True)


def metrics_gone(scene: Scene) -> None:
    """The router's log is deleted again and again: without evidence nothing grows."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    log = scene.settings.home / "node" / "access.jsonl"
    for _ in range(5):
        log.unlink(missing_ok=True)
        scene.step(rollout)
    must(scene.weight() <= 5000, "nothing grows by itself while the log is being deleted")
    scene.until("the log is there again", log.exists)
    promoted(scene, rollout)


def slow_shadow(scene: Scene) -> None:
    """Copies take three seconds: users do not notice, and nobody is sent to it."""
    rollout = scene.begin(BAD).id
    scene.drive(rollout, to=S.SHADOW)
    began = time.monotonic()
    while time.monotonic() < began + 5 and scene.row(rollout).state is S.SHADOW:
        scene.step(rollout)
        time.sleep(0.2)
    must(scene.weight() == 0, "no user met the slow version")
    if scene.row(rollout).state is S.SHADOW:
        roll_back(scene.world, MODEL, reason="it never keeps up", by="drill", now=now())
    rolled_back(scene, rollout, condemned=True)


def clock_jump(scene: Scene) -> None:
    """The clock jumps a month ahead and back: nothing is promoted by a date."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    for jump in (timedelta(days=30), timedelta(days=-30)):
        outcome = step(scene.world, rollout, now=now() + jump)
        must(outcome.action in ("hold", "advance"), f"it goes on, not {outcome.action}")
        must(not outcome.ended, "no date ends a rollout")
    promoted(scene, rollout)


def two_rollouts(scene: Scene) -> None:
    """Eight start at once: one begins, the others are told."""
    began, refused = [], []

    def start() -> None:
        try:
            began.append(scene.begin().id)
        except LedgerError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    must(len(began) == 1 and len(refused) == 7, f"one begins ({len(began)}, {len(refused)})")
    promoted(scene, began[0])


def two_drivers(scene: Scene) -> None:
    """Two workers take the steps of one rollout at once: each is taken once."""
    rollout = scene.begin().id
    give_up = time.monotonic() + PATIENCE

    def drive() -> None:
        while scene.row(rollout).state not in ENDED and time.monotonic() < give_up:
            scene.step(rollout)

    threads = [threading.Thread(target=drive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    must(scene.row(rollout).state is S.PROMOTED, "the good version is promoted")
    with reading(scene.world.engine) as tx:
        told = [decision.action for decision in decisions.of_rollout(tx, rollout)]
        moved = [e for e in audit.entries(tx) if e.action == "champion.moved"]
    stops = len(itinerary(plan_rollout(scene.contract)))
    must(told == ["advance"] * (stops - 2) + ["promote"], f"each step is decided once ({told})")
    must(len(moved) == 2, f"the pointer moved once after the first version ({len(moved)})")


def race(scene: Scene) -> None:
    """A person rolls back while the promotion is under way."""
    rollout = scene.begin().id
    scene.drive(rollout, to=S.STEPPING, weight=10_000)
    said: list[str] = []

    def back() -> None:
        done = roll_back(scene.world, MODEL, reason="a person saw it", by="drill", now=now())
        said.append(done.serving)

    thread = threading.Thread(target=back)
    thread.start()
    while thread.is_alive():
        scene.step(rollout)
    thread.join()
    must(said == ["1"], f"version 1 serves in the end, not {said}")


def ledger_gone(scene: Scene) -> None:
    """Nobody can write to the ledger while the candidate fails; retreat does not need it."""
    rollout = scene.begin(BAD).id
    scene.drive(rollout, to=S.STEPPING, weight=1000)
    path = scene.settings.ledger_url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        scene.until("the node retreats by itself", lambda: scene.weight() == 0)
        scene.users_go_on()
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    rolled_back(scene, rollout, condemned=True)
