"""Runs one drill and checks what every drill must leave behind."""

import time
from dataclasses import dataclass
from pathlib import Path

from mlops_pipeline.delivery.drills.catalogue import DRILLS, Drill
from mlops_pipeline.delivery.drills.outages import told
from mlops_pipeline.delivery.drills.scene import MODEL, Scene, scene
from mlops_pipeline.errors import DeliveryError, MlopsError
from mlops_pipeline.ledger import champion, rollouts
from mlops_pipeline.ledger.store import reading


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a drill found."""

    name: str
    harm: str
    passed: bool
    trouble: str  # empty where it passed
    state: str  # of the rollout, at the end
    serving: str
    settle_seconds: float  # until pointer, router and alias agreed
    down_seconds: float  # for which something could not answer
    sent: int
    failed: dict[str, int]  # requests, by who answered or how they failed
    unexplained: int
    audit_entries: int
    seconds: float


def run_drill(name: str, home: Path, *, port: int | None = None) -> DrillReport:
    """The drill ran on a scratch instance below `home`, of which nothing runs any more.

    Raises:
        DeliveryError: no drill has that name.
    """
    drill = DRILLS.get(name)
    if drill is None:
        raise DeliveryError(f"no drill is named {name!r}; there are: {', '.join(DRILLS)}")
    began = time.monotonic()
    with scene(home, faults=dict(drill.faults), port=port) as built:
        trouble = ""
        settle_seconds, entries = 0.0, 0
        try:
            drill.act(built)
            settle_seconds = built.settled()
            built.users_go_on(50)
            entries = built.audited()
        except MlopsError as error:
            trouble = f"{type(error).__name__}: {error}"
        unexplained = built.hurt.unexplained()
        if not trouble and unexplained:
            trouble = told(unexplained, built.hurt.outages)
        return _report(
            name, drill, built, trouble, settle_seconds, entries, time.monotonic() - began
        )


def _report(
    name: str,
    drill: Drill,
    built: Scene,
    trouble: str,
    settle_seconds: float,
    entries: int,
    seconds: float,
) -> DrillReport:
    try:
        with reading(built.world.engine) as tx:
            rows = rollouts.all_of(tx, MODEL)
            leading = champion.read(tx, MODEL)
    except MlopsError:
        rows, leading = (), None
    return DrillReport(
        name=name,
        harm=drill.harm,
        passed=not trouble,
        trouble=trouble,
        state=str(rows[-1].state) if rows else "none",
        serving=leading.version if leading else "unknown",
        settle_seconds=round(settle_seconds, 2),
        down_seconds=round(sum(o.seconds for o in built.hurt.outages if o.over), 2),
        sent=built.sent,
        failed=built.hurt.by_whom(),
        unexplained=len(built.hurt.unexplained()),
        audit_entries=entries,
        seconds=round(seconds, 1),
    )
