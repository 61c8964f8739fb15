"""Why requests failed: each failure has its time and, where one answered, its version.

A failure is explained by its cause or not at all: it met the version under harm, or it was under
way while what was killed was down, and nobody else answered it. Counts explain nothing.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """One request that a user sent in vain; times are monotonic."""

    sent: float
    heard: float
    answered_by: str | None  # the cluster; None where nobody answered
    how: str  # http_503, connect, reset, timeout


@dataclass(slots=True)
class Outage:
    """The time for which something was down, and the clusters that could not answer meanwhile."""

    of: str
    clusters: frozenset[str]
    began: float
    ended: float = math.inf  # when it was seen to answer again, or to have no traffic

    @property
    def seconds(self) -> float:
        """How long; infinite while it lasts."""
        return self.ended - self.began

    @property
    def over(self) -> bool:
        """Whether its end was seen."""
        return self.ended < math.inf

    def explains(self, failure: Failure) -> bool:
        """Whether the request was under way meanwhile and no other version answered it."""
        meanwhile = failure.sent <= self.ended and failure.heard >= self.began
        ours = failure.answered_by is None or failure.answered_by in self.clusters
        return meanwhile and ours


@dataclass(slots=True)
class Hurt:
    """Every failure of a drill, and everything that may explain one."""

    faulty: frozenset[str] = frozenset()  # clusters that are served with the drill's fault
    failures: list[Failure] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def down(self, of: str, *clusters: str, since: float | None = None) -> Outage:
        """An outage that lasts until its `ended` is set."""
        began = time.monotonic() if since is None else since
        outage = Outage(of, frozenset(clusters), began)
        self.outages.append(outage)
        return outage

    def unexplained(self) -> tuple[Failure, ...]:
        """Failures without a cause."""
        return tuple(
            failure
            for failure in self.failures
            if failure.answered_by not in self.faulty
            and not any(outage.explains(failure) for outage in self.outages)
        )

    def by_whom(self) -> dict[str, int]:
        """Failures by who answered, or by how they failed where nobody did."""
        return dict(Counter(failure.answered_by or failure.how for failure in self.failures))


def told(failures: Iterable[Failure], outages: Iterable[Outage]) -> str:
    """Failures without a cause for a person, beside the outages that do not explain them."""
    some = list(failures)
    first = ", ".join(f"{f.answered_by or 'nobody'} {f.how} at {f.heard:.3f}" for f in some[:5])
    known = ", ".join(f"{o.of} {o.began:.3f} to {o.ended:.3f}" for o in outages)
    return f"{len(some)} requests failed without a cause ({first}); down were: {known or 'none'}"
