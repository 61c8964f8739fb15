"""Every drill by name: what is hurt, when, and how the rollout must end.

What all of them must leave (one state, pointer, router and alias agreeing, an audit chain that
verifies) is checked by `run`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlops_pipeline.delivery.drills import acts
from mlops_pipeline.delivery.drills.acts import BAD
from mlops_pipeline.delivery.drills.scene import Scene


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill."""

    harm: str  # what is hurt, for people
    act: Callable[[Scene], None]
    faults: Mapping[str, str] = field(default_factory=dict)  # by version
    representative: bool = False  # of the set that CI runs


FAILS = {BAD: "error=1,after=100"}
DRILLS: Mapping[str, Drill] = {
    "worker": Drill(
        "SIGKILL of the worker at every point of every step", acts.worker, representative=True
    ),
    "worker-in-rollback": Drill(
        "SIGKILL of the worker at every point of a rollback",
        acts.worker_in_rollback,
        FAILS,
    ),
    "node": Drill("SIGKILL of the node in each state", acts.node, representative=True),
    "envoy": Drill("SIGKILL of Envoy", acts.envoy),
    "stable": Drill("SIGKILL of the stable's server", acts.stable),
    "challenger": Drill("SIGKILL of the candidate's server", acts.challenger, representative=True),
    "failing": Drill(
        "the candidate fails, and no orchestrator runs",
        acts.failing,
        FAILS,
        representative=True,
    ),
    "runtime-folder": Drill("every socket is deleted", acts.runtime_folder),
    "xds-truncated": Drill("a truncated xDS file, and SIGKILL of Envoy", acts.xds_truncated),
    "xds-unwritable": Drill(
        "the xDS folder cannot be written when the candidate must leave",
        acts.xds_unwritable,
        FAILS,
        representative=True,
    ),
    "disk-full": Drill(
        "no byte is left on the node's disk (mount a small one there)",
        acts.disk_full,
        FAILS,
    ),
    "metrics-gone": Drill("the router's log is deleted", acts.metrics_gone),
    "slow-shadow": Drill(
        "the candidate answers copies after three seconds",
        acts.slow_shadow,
        {BAD: "shadow_delay_ms=3000"},
    ),
    "clock-jump": Drill("the clock jumps a month ahead and back", acts.clock_jump),
    "two-rollouts": Drill("eight rollouts start at once", acts.two_rollouts, representative=True),
    "two-drivers": Drill("two workers take the steps of one rollout at once", acts.two_drivers),
    "race": Drill("a rollback races a promotion", acts.race),
    "ledger-gone": Drill(
        "the ledger's database is locked while the candidate fails",
        acts.ledger_gone,
        FAILS,
    ),
}
