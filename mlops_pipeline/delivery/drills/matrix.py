"""Every harm in every state of a rollout, while it stands there and between write and confirm.

Each cell is a rollout of its own, of a version of its own, on a scene that the cells of one harm
share: it is brought to its place, something is killed there, it is mended as its supervisor would,
and the rollout is driven to its end. A cell that leaves anything behind gets a new scene for the
next one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Approvals, Guard, Rollout
from mlops_pipeline.delivery import approvals
from mlops_pipeline.delivery.drills import database
from mlops_pipeline.delivery.drills.harms import CHALLENGER, HARMS, LEDGER, Harm, kill, over
from mlops_pipeline.delivery.drills.outages import told
from mlops_pipeline.delivery.drills.scene import MODEL, PATIENCE, Scene, now, scene
from mlops_pipeline.delivery.drills.scratch_node import set_trap, sprung_at
from mlops_pipeline.delivery.drills.worker import Point
from mlops_pipeline.delivery.plan import Phase, Stop, itinerary, parse_plan, plan_rollout
from mlops_pipeline.errors import DeliveryError, MlopsError
from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.rollouts import ENDED, RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.settings import PACKAGE_MODELS

S = RolloutState
PREFLIGHT, BACK = "preflight", "rolling back"


class Moment(StrEnum):
    """When it is killed."""

    WITHIN = "within"  # the rollout stands there
    BETWEEN = "between write and confirm"  # of the routes with which it gets there


@dataclass(frozen=True, slots=True)
class Cell:
    """One harm, in one place, at one moment."""

    harm: str
    place: str
    moment: Moment

    def __str__(self) -> str:
        """As `--only` knows it."""
        return f"{self.harm}: {self.place}, {self.moment}"


@dataclass(frozen=True, slots=True)
class CellReport:
    """What a cell left."""

    cell: Cell
    passed: bool
    trouble: str
    state: str  # of the rollout, at its end
    settle_seconds: float  # until pointer, router and what the registry is told agreed
    down_seconds: float  # for which something could not answer
    sent: int
    failed: int  # each of them explained by its cause, where the cell passed
    seconds: float


def matrix_contract() -> ModelContract:
    """A rollout that stops in every state, each for as little as it can."""
    rollout = Rollout(
        shadow_requests=20,
        max_score_shift=0.2,
        steps=(10, 50, 100),
        requests_per_step=15,
        guards=(Guard(name="error", budget=0.2), Guard(name="slow", over_ms=1500, budget=0.3)),
        step_deadline_minutes=10,
        bake_minutes=0.01,
    )
    contract = load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")
    people = Approvals(before_traffic=True, before_promotion=True)
    return contract.model_copy(update={"rollout": rollout, "approvals": people})


STOPS: tuple[Stop, ...] = itinerary(plan_rollout(matrix_contract()))


def place_of(stop: Stop) -> str:
    """What a stop is called in the table."""
    return f"step {stop.weight // 100} %" if stop.phase is Phase.STEP else stop.phase.value


PLACES: tuple[str, ...] = (PREFLIGHT, *map(place_of, STOPS), BACK)


def cells() -> tuple[Cell, ...]:
    """The whole matrix. Preflight writes no routes; promoted, a rollout stands nowhere."""
    return tuple(
        Cell(harm.name, place, moment)
        for harm in HARMS
        for place in PLACES
        for moment in Moment
        if not (place == PREFLIGHT and moment is Moment.BETWEEN)
        and not (place == Phase.PROMOTED and moment is Moment.WITHIN)
    )


REPRESENTATIVE = (
    Cell("node", "step 50 %", Moment.BETWEEN),
    Cell("Envoy", BACK, Moment.BETWEEN),
    Cell("stable", "bake", Moment.WITHIN),
    Cell("challenger", "step 10 %", Moment.BETWEEN),
    Cell("ledger database", "promoted", Moment.BETWEEN),
)


def run_matrix(
    chosen: Sequence[Cell], folder: Path, say: Callable[[CellReport], None]
) -> tuple[CellReport, ...]:
    """Every chosen cell was tried, on scratch instances below `folder` that are gone by now."""
    reports: list[CellReport] = []
    for harm in HARMS:
        waiting = [cell for cell in chosen if cell.harm == harm.name]
        while waiting:
            with _scene(harm, folder / f"{len(reports)}") as built:
                sound = True
                while waiting and sound:
                    report = _tried(built, harm, waiting.pop(0))
                    reports.append(report)
                    say(report)
                    sound = report.passed
    return tuple(reports)


@contextmanager
def _scene(harm: Harm, home: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        ledger = None
        if harm is LEDGER:
            ledger = stack.enter_context(database.database())
            ledger.start()
            give_up = time.monotonic() + PATIENCE
            while not ledger.answers():
                if time.monotonic() > give_up:
                    raise DeliveryError(f"PostgreSQL did not start, see {ledger.folder / 'log'}")
                time.sleep(0.05)
        yield stack.enter_context(scene(home, ledger=ledger, contract=matrix_contract()))


def _tried(built: Scene, harm: Harm, cell: Cell) -> CellReport:
    began, sent, failed = time.monotonic(), built.sent, len(built.hurt.failures)
    outages = len(built.hurt.outages)
    trouble, state, settled = "", "none", 0.0
    try:
        row = _rolled(built, harm, cell)
        state = str(row.state)
        settled = built.settled()
        built.users_go_on(20)
        built.audited()
        if row.state is not _must_end(cell):
            raise DeliveryError(f"it is {row.state}, not {_must_end(cell)}: {row.reason}")
        lost = built.hurt.unexplained()
        if lost:
            raise DeliveryError(told(lost, built.hurt.outages))
    except MlopsError as error:
        trouble = f"{type(error).__name__}: {error}"
    return CellReport(
        cell,
        not trouble,
        trouble,
        state,
        round(settled, 2),
        round(sum(o.seconds for o in built.hurt.outages[outages:] if o.over), 2),
        built.sent - sent,
        len(built.hurt.failures) - failed,
        round(time.monotonic() - began, 1),
    )


def _must_end(cell: Cell) -> RolloutState:
    """Only a candidate that users meet loses its rollout by the end of its server."""
    if cell.place == BACK:
        return S.ROLLED_BACK
    stop = next((stop for stop in STOPS if place_of(stop) == cell.place), None)
    met = stop is not None and stop.weight > 0
    return S.ROLLED_BACK if cell.harm == CHALLENGER.name and met else S.PROMOTED


def _rolled(built: Scene, harm: Harm, cell: Cell) -> RolloutRow:
    """A rollout of a new version, hurt as the cell says, at its end."""
    with reading(built.world.engine) as tx:
        version = f"c{len(versions.all_of(tx, MODEL))}"
    built.add_version(version)
    row = built.begin(version)
    if cell.place == BACK:
        _to(built, row.id, PLACES.index("step 50 %") - 1)
        if cell.moment is Moment.WITHIN:
            built.workers.roll_back(MODEL, Point.AFTER_COMMIT)
            _must_be(built, row.id, S.ROLLING_BACK)
            kill(built, harm)
        else:
            _caught(built, harm, lambda: built.workers.roll_back(MODEL))
    elif cell.place == PREFLIGHT:
        built.step(row.id)
        _must_be(built, row.id, S.PREFLIGHT)
        kill(built, harm)
    else:
        index = PLACES.index(cell.place) - 1
        if cell.moment is Moment.WITHIN:
            _to(built, row.id, index)
            kill(built, harm)
        else:
            _to(built, row.id, index - 1)
            _caught(built, harm, lambda: _onward(built, row.id))
    return _to(built, row.id, len(STOPS))


def _to(built: Scene, rollout: int, index: int) -> RolloutRow:
    """The rollout stands at that stop, and the router obeys it; -1 is the preflight."""
    give_up = time.monotonic() + PATIENCE
    if index < 0:
        built.step(rollout)
        return built.row(rollout)
    while True:
        row = built.row(rollout)
        there = int(row.evidence_from.get("stop", -1)) >= index and _obeyed(built, row)
        if row.state in ENDED or there:
            return row
        if time.monotonic() > give_up:
            raise DeliveryError(f"rollout {rollout} stays at {row.state}: {row.reason}")
        _onward(built, rollout)


def _onward(built: Scene, rollout: int) -> None:
    """One step; where it waits for a person who has not said yes yet, that person does first."""
    row = built.row(rollout)
    if row.state is S.AWAITING_APPROVAL:
        plan, stop = parse_plan(row.plan), STOPS[row.evidence_from["stop"]]
        with transaction(built.world.engine) as tx:
            if not approvals.standing(tx, row, plan, stop, now=now()).approved:
                approvals.approve(tx, MODEL, approver="drill", reason="rehearsal", now=now())
    built.step(rollout)


def _obeyed(built: Scene, row: RolloutRow) -> bool:
    routes = built.world.node.state().routes.get(MODEL)
    if routes is None:
        return False
    return (routes.fence.rollout, routes.fence.generation) == (row.id, row.generation)


def _caught(built: Scene, harm: Harm, act: Callable[[], object]) -> None:
    """Killed while what `act` wrote is not confirmed; then mended."""
    pids, down = harm.pids(built), harm.down(built)
    set_trap(built.settings.home, pids)
    give_up = time.monotonic() + PATIENCE
    while (at := sprung_at(built.settings.home)) is None:
        if time.monotonic() > give_up:
            raise DeliveryError("no plan was written that the trap could wait for")
        try:
            act()
        except MlopsError:
            time.sleep(0.05)  # what was killed is missed already
    over(built, harm, pids, down, began=at)


def _must_be(built: Scene, rollout: int, state: RolloutState) -> None:
    row = built.row(rollout)
    if row.state is not state:
        raise DeliveryError(f"rollout {rollout} is {row.state}, not {state}, before the harm")
