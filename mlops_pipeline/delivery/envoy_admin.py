"""Envoy's admin interface over its private socket: counters in, nothing but reading out."""

import re
from pathlib import Path

import httpx

from mlops_pipeline.delivery.router import ClusterCounters
from mlops_pipeline.delivery.unix import listens
from mlops_pipeline.errors import DeliveryError

_CLUSTER_STAT = re.compile(
    r"cluster\.(?P<name>[a-z0-9_]+-v[A-Za-z0-9_-]+)\."
    r"(?P<stat>upstream_rq_[2345]xx|membership_healthy|membership_total)"
)
_CLUSTER_FILTER = (
    r"^cluster\.[a-z0-9_]+-v[A-Za-z0-9_-]+\."
    r"(upstream_rq_[2345]xx|membership_healthy|membership_total)$"
)


class EnvoyAdmin:
    """Questions to one running Envoy."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._client = self._connect()

    def reconnect(self) -> None:
        """The next question goes to whoever listens at the socket now."""
        old, self._client = self._client, self._connect()
        old.close()

    def epoch(self) -> int | None:
        """Which process of a series of replacements answers; None where none does."""
        if not listens(self._socket):
            return None
        try:
            told = self._client.get("/server_info").json()
        except (httpx.HTTPError, ValueError):
            return None
        return int(told.get("command_line_options", {}).get("restart_epoch", 0))

    def _connect(self) -> httpx.Client:
        return httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self._socket), verify=False),
            base_url="http://envoy",
            timeout=httpx.Timeout(2.0),
        )

    def close(self) -> None:
        """Its connections are closed."""
        self._client.close()

    def ready(self) -> bool:
        """Whether it says that it serves."""
        if not listens(self._socket):
            return False
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def stats(self, pattern: str) -> dict[str, str]:
        """Every counter, gauge and text whose name matches the regular expression.

        Raises:
            DeliveryError: Envoy does not answer.
        """
        try:
            answer = self._client.get("/stats", params={"filter": pattern})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DeliveryError(f"Envoy's admin {self._socket} does not answer: {error}") from error
        lines = (line.partition(": ") for line in answer.text.splitlines())
        return {name: value.strip('"') for name, parted, value in lines if parted}

    def reopen_logs(self) -> None:
        """It writes to the access log's path again, after somebody moved the file.

        Raises:
            DeliveryError: Envoy does not answer.
        """
        try:
            self._client.post("/reopen_logs").raise_for_status()
        except httpx.HTTPError as error:
            raise DeliveryError(f"Envoy's admin {self._socket} does not answer: {error}") from error

    def counters(self) -> dict[str, ClusterCounters]:
        """Counters of every version's cluster; shadows' too, under their own names."""
        found: dict[str, dict[str, int]] = {}
        for name, value in self.stats(_CLUSTER_FILTER).items():
            part = _CLUSTER_STAT.fullmatch(name)
            if part is not None:
                found.setdefault(part["name"], {})[part["stat"]] = int(value)
        return {name: _counters(stats) for name, stats in found.items()}


def _counters(stats: dict[str, int]) -> ClusterCounters:
    good = sum(stats.get(f"upstream_rq_{kind}xx", 0) for kind in (2, 3, 4))
    return ClusterCounters(
        good=good,
        bad=stats.get("upstream_rq_5xx", 0),
        healthy_hosts=stats.get("membership_healthy", 0),
        hosts=stats.get("membership_total", 0),
    )
