"""What no part of a contract can see alone: names, roles, times and cuts that must fit together."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_pipeline.contract.columns import (
    Availability,
    ColumnType,
    DerivedFeature,
    HistoryFeature,
)
from mlops_pipeline.contract.expressions import parse_expression
from mlops_pipeline.contract.findings import Finding, Location
from mlops_pipeline.contract.task_fit import task_findings

if TYPE_CHECKING:
    from mlops_pipeline.contract.model import ModelContract


def cross_findings(contract: "ModelContract") -> Iterator[Finding]:
    """Everything that no part can see alone, each at the part that should change."""
    yield from _listed_once(contract)
    yield from _roles(contract)
    yield from _relations(contract)
    yield from _features_known_in_time(contract)
    yield from _cuts(contract)
    yield from task_findings(contract)


def _listed_once(contract: "ModelContract") -> Iterator[Finding]:
    lists: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
        (("entity",), "", contract.entity),
        (("columns",), "name", contract.column_names),
        (("relations",), "name", tuple(r.name for r in contract.relations)),
        (("dependencies",), "name", tuple(d.name for d in contract.dependencies)),
        (("features", "columns"), "name", tuple(f.name for f in contract.features.columns)),
        (("features", "known_strong"), "", contract.features.known_strong),
        (("candidates",), "name", tuple(c.name for c in contract.candidates)),
        (("rollout", "guards"), "name", tuple(g.name for g in contract.rollout.guards)),
        (("monitoring", "drift"), "column", tuple(d.column for d in contract.monitoring.drift)),
    )
    for where, key, names in lists:
        for index, name in enumerate(names):
            if name in names[:index]:
                at: Location = (*where, index, key) if key else (*where, index)
                yield Finding(at, f"{name!r} is listed twice")


def _roles(contract: "ModelContract") -> Iterator[Finding]:
    names = contract.column_names
    roles: list[tuple[Location, str]] = [
        *((("entity", index), name) for index, name in enumerate(contract.entity)),
        (("event_time",), contract.event_time),
        (("target", "column"), contract.target.column),
    ]
    for at, name in roles:
        if name not in names:
            yield Finding(at, f"no column is named {name!r}; columns: {', '.join(names)}")
    if contract.event_time in names:
        event_time = contract.column(contract.event_time)
        if event_time.type is not ColumnType.TIME or event_time.nullable:
            yield Finding(("event_time",), f"{event_time.name!r} must be a time, never null")
    if contract.target.column in names:
        answer = contract.column(contract.target.column)
        if answer.available is not Availability.OUTCOME:
            yield Finding(
                ("target", "column"), f"{answer.name!r} is the answer: mark it available: outcome"
            )
    if contract.target.name in names:
        yield Finding(("target", "name"), f"{contract.target.name!r} is also a column")


def _relations(contract: "ModelContract") -> Iterator[Finding]:
    for index, relation in enumerate(contract.relations):
        for name in parse_expression(relation.holds).columns:
            if name not in contract.column_names:
                at: Location = ("relations", index, "holds")
                yield Finding(at, f"relation {relation.name}: no column is named {name!r}")
    for index, dependency in enumerate(contract.dependencies):
        for word in ("fixed", "given"):
            for place, name in enumerate(getattr(dependency, word)):
                if name not in contract.column_names:
                    at = ("dependencies", index, word, place)
                    what = f"no column is named {name!r}"
                    yield Finding(at, f"dependency {dependency.name}: {what}")


def _features_known_in_time(contract: "ModelContract") -> Iterator[Finding]:
    derived = {feature.name for feature in contract.derived}
    for index, feature in enumerate(contract.features.columns):
        word = "keys" if isinstance(feature, HistoryFeature) else "inputs"
        for place, name in enumerate(feature.inputs):
            at = ("features", "columns", index, word, place)
            if isinstance(feature, HistoryFeature) and name in derived:
                continue
            if name not in contract.column_names:
                yield Finding(at, f"feature {feature.name}: no column is named {name!r}")
            elif contract.column(name).available is Availability.OUTCOME:
                what = f"column {name!r} is known only with the outcome"
                yield Finding(at, f"feature {feature.name}: {what}")
        if isinstance(feature, DerivedFeature) and feature.kind == "category":
            yield from _category_is_a_column(contract, index, feature)


def _category_is_a_column(
    contract: "ModelContract", index: int, feature: DerivedFeature
) -> Iterator[Finding]:
    source = feature.inputs[0]
    if source not in contract.column_names:
        return  # said already
    if feature.name != source or contract.column(source).type is not ColumnType.CATEGORY:
        what = "a category feature is a category column of the same name"
        yield Finding(("features", "columns", index), f"feature {feature.name}: {what}")


def _cuts(contract: "ModelContract") -> Iterator[Finding]:
    features = {feature.name for feature in contract.features.columns}
    known = {*contract.column_names, *features}
    cuts: list[tuple[Location, str]] = [
        *((("slices", index, "by"), cut.by) for index, cut in enumerate(contract.slices)),
        *((("fairness", index, "by"), cut.by) for index, cut in enumerate(contract.fairness)),
    ]
    for at, name in cuts:
        if name not in known:
            yield Finding(at, f"{name!r} is neither a column nor a feature")
    marks = contract.retraining.influenced_by
    if marks is not None and marks not in contract.column_names:
        yield Finding(("retraining", "influenced_by"), f"no column is named {marks!r}")
    for index, watched in enumerate(contract.monitoring.drift):
        if watched.column not in features:
            at = ("monitoring", "drift", index, "column")
            yield Finding(at, f"{watched.column!r} is no feature")
