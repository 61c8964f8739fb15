"""The single writer of routes: commands in, fenced; a plan to the router out, journalled first.

Retreat is always allowed. Everything that gives a version more traffic must carry a fence that is
not older than the last one, and is refused for a version that was retreated in the same rollout.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_pipeline.delivery.arms import gives_nobody_more, retreated
from mlops_pipeline.delivery.hosts import HostSpec, Key
from mlops_pipeline.delivery.journal import (
    DEFAULT_CONSECUTIVE,
    Fence,
    ModelRoutes,
    NodeJournal,
    Retreat,
    load_journal,
    save_journal,
)
from mlops_pipeline.delivery.router import Arms, RoutePlan, Router
from mlops_pipeline.errors import DeliveryError, MlopsError, StaleGeneration

CONFIRM_SECONDS = 2.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RouteCommand:
    """What the orchestrator wants of one model's traffic."""

    arms: Arms
    fence: Fence
    timeout_ms: int = 2000
    consecutive_failures: int = DEFAULT_CONSECUTIVE

    @property
    def routes(self) -> ModelRoutes:
        """As the journal keeps it."""
        return ModelRoutes(self.arms, self.fence, self.timeout_ms, self.consecutive_failures)


class Switchboard:
    """Journal and router of one node, moved together under one lock."""

    def __init__(
        self,
        router: Router,
        journal: Path,
        endpoints: Callable[[], dict[Key, str]],
        *,
        wall: Callable[[], float] = time.time,
        make_room: Callable[[OSError], bool] = lambda error: False,
        tester_key: str = "",
    ) -> None:
        self._router = router
        self._path = journal
        self._endpoints = endpoints
        self._wall = wall
        self._tester_key = tester_key
        self._make_room = make_room  # whether a full disk has room after all, for a retreat
        self._lock = threading.RLock()
        self._unsaved = False  # a retreat that the disk would not take stands in memory only
        self._journal = load_journal(journal)

    @property
    def journal(self) -> NodeJournal:
        """As it stands now."""
        return self._journal

    @property
    def lock(self) -> threading.RLock:
        """Held while routes move; held by whoever restarts the router."""
        return self._lock

    def plan(self) -> RoutePlan:
        """Everything the router shall do now."""
        return _plan(self._journal, self._endpoints(), self._tester_key)

    def next_plan(self) -> RoutePlan:
        """The same routes under a new version: for a router that boots."""
        with self._lock:
            self._save(replace(self._journal, serial=self._journal.serial + 1))
            return self.plan()

    def settle(self) -> None:
        """The router does what the journal says, where it could not before."""
        with self._lock:
            if self._unsaved:
                self._save(self._journal)
            self._router.apply(self.plan())

    def remember_host(self, spec: HostSpec) -> None:
        """The host is started again by the next node."""
        with self._lock:
            others = tuple(h for h in self._journal.hosts if h.key != spec.key)
            self._save(replace(self._journal, hosts=(*others, spec)))

    def forget_host(self, model: str, version: str) -> None:
        """The host will not be started again.

        Raises:
            DeliveryError: traffic still goes to it.
        """
        with self._lock:
            routes = self._journal.routes.get(model)
            if routes is not None and version in routes.arms.versions:
                raise DeliveryError(
                    f"{model} version {version} is still routed ({routes.arms}); put routes first"
                )
            kept = tuple(h for h in self._journal.hosts if h.key != (model, version))
            self._save(replace(self._journal, hosts=kept))

    def put(self, command: RouteCommand) -> str:
        """Traffic is split as `command` says, confirmed by a real response; the route version.

        The same command again changes nothing and confirms again.

        Raises:
            StaleGeneration: the fence is older than the last one, was used for other arms, or the
                version was retreated in this rollout.
            RouterRejected: the router refused; everything is as before.
        """
        model = command.arms.model
        with self._lock:
            self._may_put(command)
            if self._journal.routes.get(model) == command.routes:
                return self._confirmed(self._router.apply(self.plan()))
            version = self._move(self._journal.with_routes(model, command.routes))
            arms = command.arms
            logger.info(
                "event=routes model=%s stable=%s candidate=%s weight=%d shadow=%s version=%s",
                *(model, arms.stable, arms.candidate, arms.weight, arms.shadow, version),
            )
            return self._confirmed(version)

    def retreat(
        self,
        model: str,
        *,
        cause: str,
        by: str,
        bad: int = 0,
        to: str | None = None,
        condemns: bool = True,
    ) -> Retreat:
        """The candidate gets no traffic, durably; with `to`, version `to` is stable instead.

        Retreating twice gives the first retreat again.

        Raises:
            DeliveryError: the model is not routed, or there is nothing to retreat.
        """
        verdict = time.monotonic()
        with self._lock:
            routes = self._journal.routes.get(model)
            if routes is None:
                raise DeliveryError(f"{model} is not routed by this node; nothing to roll back")
            leaving, arms = retreated(routes.arms, to)
            before = self._journal.retreat_of(model, leaving, routes.arms.salt)
            again = before if arms == routes.arms else None
            if again is not None and again.route_version:
                return again
            retreat = again or Retreat(
                *(
                    model,
                    leaving,
                    routes.arms.salt,
                    cause,
                    by,
                    self._wall(),
                    routes.arms.weight,
                    bad,
                ),
                condemns=condemns,
            )
            moved = self._journal.with_routes(model, replace(routes, arms=arms))
            version = self._move(moved.with_retreat(retreat), even_without_disk=True)
            self._confirmed(version)
            elapsed = (time.monotonic() - verdict) * 1000
            retreat = replace(retreat, route_version=version, milliseconds=elapsed)
            self._note(self._journal.with_retreat(retreat))
        logger.warning(
            "event=retreat model=%s version=%s by=%s cause=%r ms=%.1f",
            model,
            leaving,
            by,
            cause,
            elapsed,
        )
        return retreat

    def bar(
        self, model: str, version: str, salt: str, *, cause: str, by: str, condemns: bool = True
    ) -> Retreat:
        """No command of that rollout can give the version traffic, though it has none yet."""
        with self._lock:
            before = self._journal.retreat_of(model, version, salt)
            if before is not None:
                return before
            barred = Retreat(
                *(model, version, salt, cause, by, self._wall(), 0, 0),
                route_version=self.plan().route_version,
                milliseconds=0.0,
                condemns=condemns,
            )
            self._save(self._journal.with_retreat(barred))
            return barred

    def _may_put(self, command: RouteCommand) -> None:
        arms = command.arms
        held = self._journal.routes.get(arms.model)
        served = (arms.stable,) if arms.weight == 0 else arms.versions
        for version in served:
            retreat = self._journal.retreat_of(arms.model, version, arms.salt)
            if retreat is not None:
                raise StaleGeneration(
                    f"{arms.model} version {version} was retreated in {arms.salt}: "
                    f"{retreat.cause}; only a new rollout can give it traffic"
                )
        if held is None:
            return
        if command.fence < held.fence:
            raise StaleGeneration(
                f"{arms.model}: command {command.fence} is older than {held.fence}; "
                "it changed nothing"
            )
        if command.fence == held.fence and not gives_nobody_more(held.arms, arms):
            raise StaleGeneration(
                f"{arms.model}: {command.fence} was used for {held.arms}, not for {arms}"
            )

    def _move(self, journal: NodeJournal, *, even_without_disk: bool = False) -> str:
        """Journal first, so that a crash in between ends in what was decided."""
        before = self._journal
        plan = _plan(journal, self._endpoints(), self._tester_key)
        try:
            self._save(journal)
        except OSError as error:
            if not even_without_disk:
                raise
            logger.exception("event=journal_unwritable path=%s", self._path)
            self._journal, self._unsaved = journal, True
            if self._make_room(error):
                self._save(journal)
        try:
            return self._router.apply(plan)
        except MlopsError:
            if not even_without_disk:  # a retreat stays decided: the router's next boot obeys it
                self._save(replace(before, serial=journal.serial))
            raise

    def _confirmed(self, version: str) -> str:
        self._router.confirm(version, timeout=CONFIRM_SECONDS)
        return version

    def _note(self, journal: NodeJournal) -> None:
        """The journal says so, on disk where the disk takes it: the retreat is done already."""
        try:
            self._save(journal)
        except OSError:
            logger.exception("event=journal_unwritable path=%s", self._path)
            self._journal, self._unsaved = journal, True

    def _save(self, journal: NodeJournal) -> None:
        save_journal(self._path, journal)
        self._journal, self._unsaved = journal, False


def _plan(journal: NodeJournal, endpoints: dict[Key, str], tester_key: str) -> RoutePlan:
    routes = [journal.routes[model] for model in sorted(journal.routes)]
    named = {(r.arms.model, version) for r in routes for version in r.arms.versions}
    return RoutePlan(
        generation=journal.serial,
        arms=tuple(r.arms for r in routes),
        endpoints={key: socket for key, socket in endpoints.items() if key in named},
        timeouts_ms={r.arms.model: r.timeout_ms for r in routes},
        tester_key=tester_key,
    )
