"""The contract as one frozen record, checked across its parts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from mlops_pipeline.contract.columns import (
    Availability,
    Column,
    ColumnType,
    DerivedFeature,
    Features,
    HistoryFeature,
    Name,
    Part,
    Source,
    Target,
)
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
    seed: int = Field(default=0, ge=0, lt=2**31)
    source: Source
    columns: tuple[Column, ...] = Field(min_length=1)
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
        names = list(self.column_names)
        _unique("columns", names)
        _unique("features", [f.name for f in self.features.columns])
        _unique("candidates", [c.name for c in self.candidates])
        _unique("rollout.guards", [g.name for g in self.rollout.guards])
        for where, used in (
            ("entity", self.entity),
            ("event_time", (self.event_time,)),
            ("target.column", (self.target.column,)),
        ):
            for name in used:
                if name not in names:
                    raise ValueError(f"{where}: no column is named {name!r}; columns: {names}")
        if self.column(self.event_time).type is not ColumnType.TIME:
            raise ValueError(f"event_time: column {self.event_time!r} must be of type time")
        if self.target.name in names:
            raise ValueError(f"target.name: {self.target.name!r} is also a column")
        self._features_are_known_in_time()
        self._cuts_exist()
        return self

    def _features_are_known_in_time(self) -> None:
        derived = {feature.name for feature in self.derived}
        for feature in self.features.columns:
            for name in feature.inputs:
                if isinstance(feature, HistoryFeature) and name in derived:
                    continue
                if name not in self.column_names:
                    raise ValueError(f"feature {feature.name}: no column is named {name!r}")
                if self.column(name).available is Availability.OUTCOME:
                    raise ValueError(
                        f"feature {feature.name}: column {name!r} is known only with the outcome"
                    )
            if isinstance(feature, DerivedFeature) and feature.kind == "category":
                self._category_is_a_column(feature)

    def _category_is_a_column(self, feature: DerivedFeature) -> None:
        source = feature.inputs[0]
        if feature.name != source or self.column(source).type is not ColumnType.CATEGORY:
            raise ValueError(
                f"feature {feature.name}: a category feature is a category column of the same name"
            )

    def _cuts_exist(self) -> None:
        known = {*self.column_names, *(f.name for f in self.features.columns)}
        for where, cuts in (("slices", self.slices), ("fairness", self.fairness)):
            for cut in cuts:
                if cut.by not in known:
                    raise ValueError(f"{where}: {cut.by!r} is neither a column nor a feature")
        features = {f.name for f in self.features.columns}
        for watched in self.monitoring.drift:
            if watched.column not in features:
                raise ValueError(f"monitoring.drift: {watched.column!r} is no feature")


def _unique(where: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: listed twice: {', '.join(twice)}")
