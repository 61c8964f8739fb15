"""How much of everything a telling has; the order of events is the same in each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Numbers of one telling."""

    name: str
    live_requests: int  # of the month before the retraining, answered by the first version
    refresh_days: int  # how often the servers' look-ups are published in that month
    rate: float  # requests a second, all the time that traffic flows
    concurrency: int
    limit: int  # of requests within one rollout: a story must end
    fault: str  # what the broken version does; see `mlops_pipeline.serving.faults`


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("full", 6000, 1, 250, 8, 40_000, "error=0.4,delay_ms=300,after=30"),
        Profile("smoke", 1500, 10, 250, 8, 20_000, "error=0.4,delay_ms=300,after=30"),
    )
}
