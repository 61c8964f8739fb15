"""Before a rollout starts: how many requests its tolerances need, and whether they come in time.

The last step ends when every budget is proven to be kept, at 1/alpha. How many good outcomes that
takes follows from the e-process itself; with a true rate of a quarter of the budget it is what a
healthy version needs. Earlier stops need their own counts at their own share of the traffic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mlops_pipeline.delivery import sequential
from mlops_pipeline.delivery.access_log import AccessLine, access_log_path, tail_of
from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT
from mlops_pipeline.delivery.plan import Phase, RolloutPlan, Stop, itinerary
from mlops_pipeline.delivery.world import World

HEALTHY = 0.25  # of the budget: the rate of a version that is well within it
MOST = 200_000
LOOK_BACK = 600.0  # seconds
TAIL_BYTES = 2 * 1024 * 1024
LEAST_SEEN = 20  # requests below which a rate is not known


@dataclass(frozen=True, slots=True)
class Need:
    """What one stop waits for."""

    stop: str
    units: int  # new units that the candidate must answer there
    share: float  # of all requests that it gets
    seconds: float | None  # at the observed rate; None where that is not known


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the whole rollout needs, and what stands in its way."""

    rate: float | None  # requests a second, observed
    needs: tuple[Need, ...]
    deadline_seconds: float  # of each stop

    @property
    def requests(self) -> int:
        """Requests of all users that the rollout takes."""
        return sum(round(need.units / need.share) for need in self.needs)

    @property
    def seconds(self) -> float | None:
        """How long that takes at the observed rate."""
        known = [need.seconds for need in self.needs if need.seconds is not None]
        return sum(known) if len(known) == len(self.needs) else None

    @property
    def too_slow(self) -> tuple[str, ...]:
        """Stops whose deadline would pass first, each with both numbers."""
        return tuple(
            f"{need.stop}: {need.units} units at a share of {need.share:.3g} take "
            f"{need.seconds / 3600:.3g} h, the deadline is {self.deadline_seconds / 3600:.3g} h"
            for need in self.needs
            if need.seconds is not None and need.seconds > self.deadline_seconds
        )

    def __str__(self) -> str:
        """One line for a person."""
        if self.rate is None:
            return f"needs about {self.requests} requests; the rate of traffic is not known yet"
        hours = (self.seconds or 0) / 3600
        slow = f"; too slow: {'; '.join(self.too_slow)}" if self.too_slow else ""
        return f"needs about {self.requests} requests, {hours:.2g} h at {self.rate:.3g}/s{slow}"


def forecast(plan: RolloutPlan, *, rate: float | None) -> Forecast:
    """What the plan needs at that many requests a second."""
    proof = max(
        (to_prove(guard.budget, plan.alpha) for guard in plan.guards if guard.budget is not None),
        default=0,
    )
    needs = []
    had = 0
    for stop in itinerary(plan):
        units, share = _asked(plan, stop)
        if not units:
            continue
        if stop.last_step:
            units = max(units, proof - had)
        if stop.phase is Phase.STEP:
            had += units
        name = stop.phase if stop.phase is Phase.SHADOW else f"{100 * share:g} %"
        seconds = units / (share * rate) if rate else None
        needs.append(Need(str(name), units, share, seconds))
    return Forecast(rate, tuple(needs), plan.deadline_seconds)


def to_prove(budget: float, alpha: float, healthy: float = HEALTHY) -> int:
    """Outcomes after which a version with `healthy` times the budget is proven to keep it."""
    n = np.arange(1, MOST + 1)
    log_e = sequential.log_e_below(np.floor(n * budget * healthy), n, budget)
    proven = np.flatnonzero(log_e >= -np.log(alpha))
    return int(proven[0]) + 1 if proven.size else MOST


def observed_rate(lines: Iterable[AccessLine], model: str) -> float | None:
    """Predictions of the model a second over the lines' span; None where too few are known."""
    times = [
        float(line.at)
        for line in lines
        if line.prediction and line.cluster is not None and line.cluster.startswith(f"{model}-v")
    ]
    if len(times) < LEAST_SEEN or max(times) <= min(times):
        return None
    return (len(times) - 1) / (max(times) - min(times))


def foresee(world: World, plan: RolloutPlan, *, now: datetime) -> Forecast:
    """The forecast at the rate of the last minutes, as the router's log has it."""
    path = access_log_path(world.settings.home)
    since = now.timestamp() - LOOK_BACK
    recent = (line for line in tail_of(path, TAIL_BYTES) if float(line.at) >= since)
    return forecast(plan, rate=observed_rate(recent, plan.model))


def _asked(plan: RolloutPlan, stop: Stop) -> tuple[int, float]:
    if stop.phase is Phase.SHADOW:
        return plan.shadow_requests, 1.0
    if stop.phase is Phase.STEP:
        return plan.requests_per_step, stop.weight / TOTAL_WEIGHT
    return 0, 1.0
