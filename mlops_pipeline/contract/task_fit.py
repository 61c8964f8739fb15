"""Whether a contract's promises and its target are those of its task."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_pipeline.contract.columns import ColumnType, Target
from mlops_pipeline.contract.findings import Finding, Location
from mlops_pipeline.contract.promises import ErrorCost
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER, TASKS

if TYPE_CHECKING:
    from mlops_pipeline.contract.model import ModelContract

NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER)
_OF_NUMBERS = ("lowest", "highest", "quantile", "unit")


def task_findings(contract: "ModelContract") -> Iterator[Finding]:
    """Each metric, gap and word of the target that this task does not have."""
    yield from _metrics(contract)
    yield from _gaps(contract)
    yield from _mistakes(contract)
    yield from _TARGETS[contract.task](contract)


def _metrics(contract: "ModelContract") -> Iterator[Finding]:
    known = TASKS[contract.task].metrics
    for at, metric, needs_direction in _named(contract):
        if metric not in known:
            what = f"{metric} says nothing about a {contract.task} task"
            yield Finding(at, f"{what}; its metrics: {', '.join(known)}")
        elif needs_direction and metric not in HIGHER_IS_BETTER:
            what = f"{metric} is neither better high nor low"
            yield Finding(at, f"{what}: bound it by at_least and at_most")


def _named(contract: "ModelContract") -> Iterator[tuple[Location, str, bool]]:
    """Where a metric is named, which, and whether one of two values has to be the better."""
    acceptance = contract.acceptance
    yield ("acceptance", "choose_by"), acceptance.choose_by, True
    if acceptance.beat_linear is not None:
        yield ("acceptance", "beat_linear"), acceptance.beat_linear, True
    for index, criterion in enumerate(acceptance.criteria):
        at = ("acceptance", "criteria", index, "metric")
        yield at, criterion.metric, criterion.margin is not None
    for index, declared in enumerate(contract.slices):
        yield ("slices", index, "metric"), declared.metric, True
    for index, bound in enumerate(contract.monitoring.performance):
        yield ("monitoring", "performance", index, "metric"), bound.metric, True


def _gaps(contract: "ModelContract") -> Iterator[Finding]:
    known = TASKS[contract.task].gaps
    for index, group in enumerate(contract.fairness):
        if group.metric not in known:
            what = f"{group.metric} says nothing about a {contract.task} task"
            at: Location = ("fairness", index, "metric")
            yield Finding(at, f"{what}; its gaps: {', '.join(known)}")
        elif group.metric.endswith("_rate") and group.max_gap > 1:
            at = ("fairness", index, "max_gap")
            yield Finding(at, f"{group.max_gap:g}: rates lie at most 1 apart")


def _mistakes(contract: "ModelContract") -> Iterator[Finding]:
    """Words about answers that are right or wrong, where answers are neither."""
    if TASKS[contract.task].counts_yes:
        return
    what = f"a {contract.task} answer is neither right nor wrong"
    if contract.rollout.labels is not None:
        yield Finding(("rollout", "labels"), f"{what}: its mistakes cannot be counted")
    if contract.monitoring.cost != ErrorCost():
        yield Finding(("monitoring", "cost"), f"{what}: it has no cost of either")
    for index, candidate in enumerate(contract.candidates):
        if candidate.compiled:
            at: Location = ("candidates", index, "compiled")
            yield Finding(at, f"only trees of yes or no are compiled, not of a {contract.task}")


def _yes_or_no(contract: "ModelContract") -> Iterator[Finding]:
    target = contract.target
    yield from _is_number(contract)
    if target.above is None:
        yield Finding(("target",), "a binary task needs above: yes is what lies above it")
    yield from _without(target, _OF_NUMBERS, "binary")


def _number(contract: "ModelContract") -> Iterator[Finding]:
    target = contract.target
    yield from _is_number(contract)
    if target.above is None:
        if contract.history:
            what = "history features count rows whose outcome lies above a bound: say above"
            yield Finding(("target",), what)
        if (target.min_rate, target.max_rate) != (0, 1):
            yield Finding(
                ("target",), "min_rate and max_rate bound a rate: say of what, with above"
            )
    if target.lowest is not None and target.highest is not None and target.lowest >= target.highest:
        what = f"lowest {target.lowest:g} must be below highest {target.highest:g}"
        yield Finding(("target", "lowest"), what)


def _is_number(contract: "ModelContract") -> Iterator[Finding]:
    name = contract.target.column
    if name in contract.column_names and contract.column(name).type not in NUMBERS:
        yield Finding(("target", "column"), f"{name!r} must be a number or an integer")


def _without(target: Target, words: tuple[str, ...], task: str) -> Iterator[Finding]:
    for word in words:
        if getattr(target, word) not in (None, "", ()):
            yield Finding(("target", word), f"a {task} task has no use for {word}")


_TARGETS = {"binary": _yes_or_no, "regression": _number}
