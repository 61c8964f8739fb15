"""A worker that takes one step of a rollout, or rolls it back, in a process of its own, and dies
where it is told to.

The places are those at which a real worker's death could part the ledger from the router: before
and after the ledger's commit, before and after a command to the node.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from multiprocessing.context import ForkServerContext
from typing import Any

from sqlalchemy import event

from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.rollback import roll_back
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.world import World, open_world
from mlops_pipeline.errors import MlopsError
from mlops_pipeline.ledger.store import open_ledger
from mlops_pipeline.settings import Settings

STEP_SECONDS = 60.0


class Point(StrEnum):
    """Where the worker is killed; NEVER lets it live."""

    NEVER = "never"
    BEFORE_COMMIT = "before the ledger's commit"
    AFTER_COMMIT = "after the ledger's commit"
    BEFORE_COMMAND = "before a command to the node"
    AFTER_COMMAND = "after a command to the node"


KILLS = (Point.BEFORE_COMMAND, Point.AFTER_COMMAND, Point.BEFORE_COMMIT, Point.AFTER_COMMIT)


class Workers:
    """Starts workers from a process that has everything imported already."""

    def __init__(self, settings: Settings, faults: dict[str, str]) -> None:
        self._settings = settings
        self._faults = faults
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def step(self, rollout: int, point: Point) -> int:
        """One step was taken, or the worker was killed at `point`; its exit code."""
        return self._run(partial(_step, rollout), point)

    def roll_back(self, model: str, point: Point = Point.NEVER) -> int:
        """A person's rollback was carried out, or the worker was killed at `point`."""
        return self._run(partial(_roll_back, model), point)

    def _run(self, act: Callable[[World], object], point: Point) -> int:
        process = self._context.Process(
            target=_work, args=(self._settings, self._faults, act, point)
        )
        process.start()
        process.join(STEP_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        return -1 if code is None else code


def scratch_world(settings: Settings, faults: dict[str, str]) -> World:
    """The world of a scratch instance, in which nothing must be proven of a version."""
    world = open_world(settings, open_ledger(settings.ledger_url), fault=_fault(faults))
    return replace(world, blockers=lambda version: ())


def _fault(faults: dict[str, str]) -> Any:
    return lambda version: faults.get(version.version)


def _step(rollout: int, world: World) -> None:
    step(world, rollout, now=datetime.now(UTC))


def _roll_back(model: str, world: World) -> None:
    roll_back(world, model, reason="a person saw it", by="drill", now=datetime.now(UTC))


def _work(
    settings: Settings, faults: dict[str, str], act: Callable[[World], object], point: Point
) -> None:
    try:
        world = scratch_world(settings, faults)
        if point in (Point.BEFORE_COMMIT, Point.AFTER_COMMIT):
            _die_at_commit(world, point)
        if point in (Point.BEFORE_COMMAND, Point.AFTER_COMMAND):
            world = replace(world, node=MortalClient(settings, point))
        act(world)
    except MlopsError:
        os._exit(3)  # the next step finds what this one left
    os._exit(0)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_commit(world: World, point: Point) -> None:
    """SIGKILL around the first commit that carries a change."""
    wrote: list[bool] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE")):
            wrote.append(True)

    @event.listens_for(world.engine, "commit")
    def commit(conn: Any) -> None:
        if wrote and point is Point.BEFORE_COMMIT:
            _die()
        if wrote:
            conn.connection.dbapi_connection.commit()
            _die()


class MortalClient(NodeClient):
    """Dies around its first command."""

    def __init__(self, settings: Settings, point: Point) -> None:
        super().__init__(settings.node_socket)
        self._point = point

    def _ask(self, method: str, path: str, body: object, kind: Any) -> Any:
        commands = method in ("PUT", "POST") and not path.startswith("/hosts")
        if commands and self._point is Point.BEFORE_COMMAND:
            _die()
        answer = super()._ask(method, path, body, kind)
        if commands:
            _die()
        return answer
