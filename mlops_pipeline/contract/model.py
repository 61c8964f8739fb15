"""The contract as one frozen record, checked across its parts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mlops_pipeline.contract.columns import (
    Column,
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
from mlops_pipeline.contract.cross import cross_findings
from mlops_pipeline.contract.findings import CROSS_PART
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
from mlops_pipeline.contract.tasks import TASKS, Question, Task, TaskName

Owner = Annotated[str, StringConstraints(pattern=r"^(team:[a-z0-9_-]+|[^@\s]+@[^@\s]+)$")]


class ModelContract(Part):
    """What one model is, must prove, and may do. Equal contracts have equal digests."""

    contract: Literal[1]
    name: Name
    title: str
    description: str
    owner: Owner
    task: TaskName
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

    @property
    def kind(self) -> Task:
        """What can be promised of such answers, and what they look like."""
        return TASKS[self.task]

    @property
    def question(self) -> Question:
        """What its labels mean."""
        return Question(self.task, self.target.quantile, self.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """What a multiclass answer can be, in the order of its probabilities; else empty."""
        if self.task != "multiclass":
            return ()
        return self.target.classes or self.column(self.target.column).categories

    @property
    def bar(self) -> float:
        """What metrics hold scores against: the threshold of yes, or the quantile of a number."""
        if self.kind.calibrated:
            return self.acceptance.threshold
        return 0.5 if self.target.quantile is None else self.target.quantile

    @property
    def score_range(self) -> tuple[float | None, float | None]:
        """Where scores usually lie, as far as the contract says so."""
        if self.kind.calibrated:
            return 0.0, 1.0
        target, outcome = self.target, self.column(self.target.column)
        low = outcome.minimum if target.lowest is None else target.lowest
        return low, outcome.maximum if target.highest is None else target.highest

    @model_validator(mode="after")
    def _whole(self) -> "ModelContract":
        findings = tuple(cross_findings(self))
        if findings:
            text = "; ".join(f"{'.'.join(map(str, f.at))}: {f.what}" for f in findings)
            raise PydanticCustomError(CROSS_PART, "{text}", {"text": text, "findings": findings})
        return self
