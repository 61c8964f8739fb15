"""The reflex: a candidate that plainly fails loses its traffic at once, without statistics.

It needs neither ledger nor orchestrator. Three causes: consecutive failures of different units in
the router's log, a burst of failures without one success in the router's counters (in case the log
cannot be written), and a candidate without a healthy host.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.router import ClusterCounters

BURST = 4  # times the consecutive failures, where only counters are known
UNHEALTHY_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a candidate must leave, and how many failures were seen."""

    cause: str
    bad: int
    condemns: bool = True  # False: its server is gone, which says nothing about its answers


@dataclass(slots=True)
class CandidateReflex:
    """What is remembered about one candidate in one rollout between two looks."""

    cluster: str
    salt: str
    limit: int  # consecutive failures that are too many
    _streak: set[str] = field(default_factory=set)
    _bad: int = 0
    _last: ClusterCounters | None = None
    _burst: int = 0
    _unhealthy: int = 0

    def look(
        self,
        lines: Iterable[AccessLine],
        counters: ClusterCounters | None,
        *,
        process_runs: bool,
    ) -> Alarm | None:
        """The alarm that the news since the last look give, or None."""
        for line in lines:
            if line.cluster == self.cluster and line.rollout == self.salt:
                self._count(line)
        if counters is not None:
            self._compare(counters)
        return self._alarm(process_runs)

    def _count(self, line: AccessLine) -> None:
        if line.failed:
            self._bad += 1
            self._streak.add(line.unit)
        elif line.answered:
            self._streak.clear()

    def _compare(self, counters: ClusterCounters) -> None:
        last = self._last
        if last is not None and counters.good >= last.good and counters.bad >= last.bad:
            if counters.good > last.good:
                self._burst = 0
            self._burst += counters.bad - last.bad
        else:  # the first look, or the router restarted and counts from 0
            self._burst = 0
        self._last = counters
        self._unhealthy = 0 if counters.healthy_hosts else self._unhealthy + 1

    def _alarm(self, process_runs: bool) -> Alarm | None:
        bad = max(self._bad, self._burst)
        if len(self._streak) >= self.limit:
            return Alarm(
                f"consecutive failures of different units ({len(self._streak)}) >= {self.limit}",
                bad,
            )
        if self._burst >= BURST * self.limit:
            return Alarm(f"failures without a success ({self._burst}) >= {BURST * self.limit}", bad)
        if not process_runs:
            return Alarm("its server ended", bad, condemns=False)
        if self._unhealthy >= UNHEALTHY_LOOKS:
            return Alarm("its server is not healthy", bad, condemns=False)
        return None
