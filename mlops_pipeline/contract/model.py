"""The contract as one frozen record, checked across its parts."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mlops_pipeline.contract.columns import (
    Availability,
    Column,
    ColumnType,
    Dependency,
    DerivedFeature,
    Features,
    HistoryFeature,
    Name,
    Part,
    Relation,
    Source,
    Target,
)
from mlops_pipeline.contract.expressions import parse_expression
from mlops_pipeline.contract.promises import (
    Acceptance,
    Approvals,
    Candidate,
    FairnessGroup,
    Monitoring,
    Retraining,
    Rollout,
    Slice,
    Splits,
)

Owner = Annotated[str, StringConstraints(pattern=r"^(team:[a-z0-9_-]+|[^@\s]+@[^@\s]+)$")]

Location = tuple[str | int, ...]
CROSS_PART = "cross_part"  # the pydantic error type that carries findings across parts


class Finding(NamedTuple):
    """What is wrong, and the place in the contract that should change."""

    at: Location
    what: str


class ModelContract(Part):
    """What one model is, must prove, and may do. Equal contracts have equal digests."""

    contract: Literal[1]
    name: Name
    title: str
    description: str
    owner: Owner
    task: Literal["binary"]
    entity: tuple[Name, ...] = Field(min_length=1)  # the columns that name a row
    event_time: Name
    purpose: Name | None = None  # what the answers are used for; columns may exclude it
    seed: int = Field(default=0, ge=0, lt=2**31)
    source: Source
    columns: tuple[Column, ...] = Field(min_length=1)
    relations: tuple[Relation, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    target: Target
    features: Features
    splits: Splits
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    acceptance: Acceptance
    slices: tuple[Slice, ...] = ()
    fairness: tuple[FairnessGroup, ...] = ()
    rollout: Rollout
    monitoring: Monitoring
    retraining: Retraining = Retraining()
    approvals: Approvals = Approvals()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the source's columns, in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def derived(self) -> tuple[DerivedFeature, ...]:
        """Features that come from the row alone."""
        return tuple(f for f in self.features.columns if isinstance(f, DerivedFeature))

    @property
    def history(self) -> tuple[HistoryFeature, ...]:
        """Features that come from the days before."""
        return tuple(f for f in self.features.columns if isinstance(f, HistoryFeature))

    @property
    def request_columns(self) -> tuple[Column, ...]:
        """The columns that a request carries: those that a feature reads."""
        wanted = {name for feature in self.features.columns for name in feature.inputs}
        return tuple(c for c in self.columns if c.name in wanted or c.name == self.event_time)

    @model_validator(mode="after")
    def _whole(self) -> "ModelContract":
        findings = tuple(cross_findings(self))
        if findings:
            text = "; ".join(f"{'.'.join(map(str, f.at))}: {f.what}" for f in findings)
            raise PydanticCustomError(CROSS_PART, "{text}", {"text": text, "findings": findings})
        return self


def cross_findings(contract: ModelContract) -> Iterator[Finding]:
    """Everything that no part can see alone, each at the part that should change."""
    yield from _listed_once(contract)
    yield from _roles(contract)
    yield from _relations(contract)
    yield from _features_known_in_time(contract)
    yield from _cuts(contract)


def _listed_once(contract: ModelContract) -> Iterator[Finding]:
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


def _roles(contract: ModelContract) -> Iterator[Finding]:
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
        if answer.type not in (ColumnType.NUMBER, ColumnType.INTEGER):
            yield Finding(("target", "column"), f"{answer.name!r} must be a number or an integer")
        if answer.available is not Availability.OUTCOME:
            yield Finding(
                ("target", "column"), f"{answer.name!r} is the answer: mark it available: outcome"
            )
    if contract.target.name in names:
        yield Finding(("target", "name"), f"{contract.target.name!r} is also a column")


def _relations(contract: ModelContract) -> Iterator[Finding]:
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


def _features_known_in_time(contract: ModelContract) -> Iterator[Finding]:
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
    contract: ModelContract, index: int, feature: DerivedFeature
) -> Iterator[Finding]:
    source = feature.inputs[0]
    if source not in contract.column_names:
        return  # said already
    if feature.name != source or contract.column(source).type is not ColumnType.CATEGORY:
        what = "a category feature is a category column of the same name"
        yield Finding(("features", "columns", index), f"feature {feature.name}: {what}")


def _cuts(contract: ModelContract) -> Iterator[Finding]:
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
