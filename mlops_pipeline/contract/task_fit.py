"""Whether a contract's promises and its target are those of its task."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from mlops_pipeline.contract.columns import ColumnType, Target
from mlops_pipeline.contract.findings import Finding, Location
from mlops_pipeline.contract.promises import Acceptance, ErrorCost
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER, TASKS

if TYPE_CHECKING:
    from mlops_pipeline.contract.model import ModelContract

NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER)
_OF_NUMBERS = ("lowest", "highest", "quantile", "unit")
_OF_CLASSES = ("classes", "bounds")
FEWEST_CLASSES = 3


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
        elif group.metric.endswith(("_rate", "accuracy")) and group.max_gap > 1:
            at = ("fairness", index, "max_gap")
            yield Finding(at, f"{group.max_gap:g}: rates lie at most 1 apart")


def _mistakes(contract: "ModelContract") -> Iterator[Finding]:
    """Words about yes, no and mistakes, where answers are none."""
    task = TASKS[contract.task]
    if task.counts_yes:
        return
    what = f"a {contract.task} answer is neither right nor wrong"
    if contract.rollout.labels is not None and not task.mistakes:
        yield Finding(("rollout", "labels"), f"{what}: its mistakes cannot be counted")
    if contract.monitoring.cost != ErrorCost():
        if task.mistakes:
            what = f"a {contract.task} answer is neither yes nor no"
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
    yield from _without(target, (*_OF_NUMBERS, *_OF_CLASSES), "binary")


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
    yield from _without(target, _OF_CLASSES, "regression")


def _class(contract: "ModelContract") -> Iterator[Finding]:
    target = contract.target
    if target.column not in contract.column_names:
        return  # said already
    yield from _classes(contract)
    yield from _without(target, _OF_NUMBERS, "multiclass")
    numbers = contract.column(target.column).type in NUMBERS
    if contract.history and target.above is None:
        what = "history features count rows whose outcome lies above a bound: "
        what += "say above" if numbers else f"{target.column!r} has no order, so leave them out"
        yield Finding(("target",), what)
    if target.above is not None and not numbers:
        yield Finding(("target", "above"), f"{target.column!r} is no number: nothing lies above")
    if contract.acceptance.threshold != Acceptance.model_fields["threshold"].default:
        what = "a multiclass answer is its likeliest class: it has no threshold"
        yield Finding(("acceptance", "threshold"), what)


def _classes(contract: "ModelContract") -> Iterator[Finding]:
    """Whether the classes are several, and what the column says can be told apart into them."""
    target, column = contract.target, contract.column(contract.target.column)
    classes = target.classes or column.categories
    if len(classes) < FEWEST_CLASSES:
        what = f"{len(classes)} classes; a multiclass task has at least {FEWEST_CLASSES}"
        yield Finding(("target", "classes") if target.classes else ("target",), what)
    for index, name in enumerate(classes):
        at: Location = ("target", "classes", index) if target.classes else ("target",)
        if name in classes[:index]:
            yield Finding(at, f"{name!r} is listed twice")
        elif column.type is ColumnType.CATEGORY and name not in column.categories:
            yield Finding(at, f"{name!r} is no category of {column.name!r}")
    for name in sorted(set(column.categories) - set(classes)):
        yield Finding(("target", "classes"), f"category {name!r} of {column.name!r} is missing")
    yield from _bounds(target, column.type)


def _bounds(target: Target, kind: ColumnType) -> Iterator[Finding]:
    at: Location = ("target", "bounds")
    if kind is ColumnType.TIME:
        yield Finding(("target", "column"), f"{target.column!r} is a time: no class is one")
    elif not target.bounds and kind is ColumnType.NUMBER:
        yield Finding(("target",), f"{target.column!r} is a number: bounds tell its classes apart")
    elif target.bounds and kind not in NUMBERS:
        yield Finding(at, f"{target.column!r} is no number: its classes have no bounds")
    elif target.bounds and len(target.bounds) != len(target.classes) - 1:
        what = f"{len(target.bounds)} bounds lie between {len(target.bounds) + 1} classes, "
        yield Finding(at, f"{what}not {len(target.classes)}")
    elif any(a >= b for a, b in pairwise(target.bounds)):
        yield Finding(at, "each must be above the one before")


def _is_number(contract: "ModelContract") -> Iterator[Finding]:
    name = contract.target.column
    if name in contract.column_names and contract.column(name).type not in NUMBERS:
        yield Finding(("target", "column"), f"{name!r} must be a number or an integer")


def _without(target: Target, words: tuple[str, ...], task: str) -> Iterator[Finding]:
    for word in words:
        if getattr(target, word) not in (None, "", ()):
            yield Finding(("target", word), f"a {task} task has no use for {word}")


_TARGETS = {"binary": _yes_or_no, "regression": _number, "multiclass": _class}
