"""What a model's rows look like: source, columns, label and features."""

import math
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from mlops_pipeline.contract.expressions import parse_expression

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Callable_ = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class Part(BaseModel):
    """A part of the contract: unchangeable, and a word it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Severity(StrEnum):
    """What a failed check does: an error blocks what follows, a warning opens a review item."""

    ERROR = "error"
    WARN = "warn"


class ColumnType(StrEnum):
    """How a column is stored and compared."""

    NUMBER = "number"  # float64; missing is NaN
    INTEGER = "integer"  # int64, or float64 where nullable
    CATEGORY = "category"  # one of the declared strings
    TEXT = "text"  # any string
    TIME = "time"  # datetime64, without time zone: the entity's local time


class Availability(StrEnum):
    """When a column's value is known: at the moment of the request, or only with the outcome."""

    REQUEST = "request"
    OUTCOME = "outcome"


class Sensitivity(StrEnum):
    """How a column may be shown: `internal` stays in logs, `personal` is masked everywhere."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"


class Distribution(Part):
    """How far a column's values may lie from those that the champion learnt from.

    `psi` counts above its own noise. `none` is for columns that are free to move. A column of the
    seasons is better held against the `newest` month of those rows than against `all` of them.
    """

    method: Literal["psi", "jensenshannon", "wasserstein", "ks", "none"] = "psi"
    threshold: float = Field(default=0.25, gt=0)
    max_null_shift: float = Field(default=0.1, gt=0, le=1)
    against: Literal["all", "newest"] = "all"


class Column(Part):
    """One column of the source, with what is true of every good row."""

    name: Name
    type: ColumnType
    nullable: bool = False
    max_null_share: float = Field(default=1.0, ge=0, le=1)
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    max_unknown_share: float = Field(default=0.0, ge=0, le=1)  # of values outside `categories`
    distribution: Distribution | None = None  # missing: psi 0.25; none for columns that name a row
    available: Availability = Availability.REQUEST
    sensitivity: Sensitivity = Sensitivity.PUBLIC
    purposes: tuple[Name, ...] = ()  # what it may be used for; empty: anything
    severity: Severity = Severity.ERROR
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Column":
        if (self.type is ColumnType.CATEGORY) != bool(self.categories):
            raise ValueError(
                f"column {self.name}: categories belong to type category, and only there"
            )
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"column {self.name}: a category is listed twice")
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            raise ValueError(f"column {self.name}: minimum {self.minimum} > maximum {self.maximum}")
        if not self.nullable and self.max_null_share != 1:
            raise ValueError(f"column {self.name}: max_null_share needs nullable: true")
        if self.max_unknown_share and not self.categories:
            raise ValueError(f"column {self.name}: max_unknown_share needs categories")
        return self


class Relation(Part):
    """What must be true between the columns of one row, where they have values."""

    name: Name
    holds: str = Field(max_length=500)  # as `contract.expressions` reads it
    max_share: float = Field(default=0.0, ge=0, lt=1)  # of judged rows that may break it
    severity: Severity = Severity.ERROR
    description: str = ""

    @field_validator("holds")
    @classmethod
    def _readable(cls, holds: str) -> str:
        parse_expression(holds)
        return holds


class Dependency(Part):
    """Columns that are one and the same wherever the `given` columns are, such as a join's.

    With `within`, only among rows of the same hour or day; without, also against the rows that the
    champion learnt from.
    """

    name: Name
    fixed: tuple[Name, ...] = Field(min_length=1)
    given: tuple[Name, ...] = Field(min_length=1)
    within: Literal["hour", "day"] | None = None
    max_share: float = Field(default=0.0, ge=0, lt=1)  # of rows that may differ
    severity: Severity = Severity.ERROR
    description: str = ""


WORDS_OF = {
    "python": ("function",),
    "parquet": ("location",),
    "csv": ("location",),
    "sql": ("url_from", "table"),
}


class Source(Part):
    """Where rows come from, asked for one window of event time.

    `python`: a callable `(start: datetime, end: datetime) -> pandas.DataFrame` that gives every row
    with `start <= event time < end`, in any order. `parquet` and `csv`: the files at `location`, a
    path or a URL such as `s3://bucket/flights/{month}.parquet`; `{month}` stands for 2013-01,
    `$NAME` for a variable of the environment, a trailing `/` for every such file below. `sql`: the
    table or view `table` behind the SQLAlchemy URL that the variable `url_from` of the environment
    holds. Credentials stand in the environment only.
    """

    kind: Literal["python", "parquet", "csv", "sql"] = "python"
    name: Name
    function: Callable_ | None = None
    location: str = ""
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    url_from: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")
    table: str = Field(default="", pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)?)?$")
    partitions: Literal["monthly"] = "monthly"
    first: date
    last: date | None = None  # the first day of the last partition; open-ended where missing
    min_rows: int = Field(default=1, ge=1)  # of one partition
    volume_tolerance: float = Field(default=0.5, gt=0)  # share by which a partition may differ
    max_age_days: int | None = Field(default=None, ge=1)  # newest row against the asking time
    max_gap_days: int | None = Field(default=None, ge=1)  # days in a row without any row
    evolution: Severity = Severity.WARN  # of columns that the source gains, loses or retypes
    origin: str = ""  # who publishes the data, under which licence

    @property
    def reference(self) -> str:
        """Where rows come from, in one word that holds no credential."""
        match self.kind:
            case "python":
                return str(self.function)
            case "sql":
                return f"${self.url_from}/{self.table}"
            case _:
                return self.location

    @model_validator(mode="after")
    def _forward(self) -> "Source":
        if self.last is not None and self.last < self.first:
            raise ValueError(f"last {self.last} is before first {self.first}")
        return self

    @model_validator(mode="after")
    def _words_of_its_kind(self) -> "Source":
        wanted = WORDS_OF[self.kind]
        for word in ("function", "location", "url_from", "table"):
            if bool(getattr(self, word)) != (word in wanted):
                verb = "needs" if word in wanted else "has no use for"
                raise ValueError(f"a source of kind {self.kind} {verb} {word}")
        scheme, found, rest = self.location.partition("://")
        if found and "@" in rest.partition("/")[0]:
            raise ValueError(
                f"location {scheme}://… holds a credential; put it into the environment"
            )
        return self


class Target(Part):
    """What is predicted, by task.

    binary: whether `column` is above `above`. regression: `column` itself, held within `lowest` and
    `highest`; its mean, or a quantile of it. multiclass: which of `classes` the column says; where
    it is a number, `bounds` lie between them: `[15, 60]` is up to 15, up to 60, and above.

    `above` makes a binary label; in the other tasks it says only what history features count.
    """

    name: Name
    column: Name
    above: float | None = None
    lowest: float | None = None  # what lies below counts as this
    highest: float | None = None  # what lies above counts as this
    quantile: float | None = Field(default=None, gt=0, lt=1)  # wanted instead of the mean
    classes: tuple[ClassName, ...] = ()  # missing: the categories of the column
    bounds: tuple[float, ...] = ()  # rising; the highest number of each class but the last
    unit: str = ""  # of the column, for people
    label_delay_hours: float = Field(ge=0)
    min_rate: float = Field(default=0.0, ge=0, le=1)  # of yes, or of every class
    max_rate: float = Field(default=1.0, ge=0, le=1)
    max_noise: float = Field(default=0.05, gt=0, le=1)  # labels that rows like theirs contradict
    unlabelled: str  # which rows have no label and why; they are counted, never guessed

    @property
    def delay_days(self) -> int:
        """Whole days that must pass before every label of a day is known."""
        return math.ceil(self.label_delay_hours / 24)

    @model_validator(mode="after")
    def _rates_in_order(self) -> "Target":
        if self.min_rate > self.max_rate:
            raise ValueError(f"min_rate {self.min_rate} > max_rate {self.max_rate}")
        return self


class DerivedFeature(Part):
    """A feature taken from the row alone: a column of the same name, or what the function gives."""

    kind: Literal["number", "category"]
    name: Name
    inputs: tuple[Name, ...] = Field(min_length=1)


class HistoryFeature(Part):
    """The smoothed label rate of a key over the last `days` days whose labels are all known.

    These end the day before, or as many days earlier as the target's `label_delay_hours` fill.

    Rate = (positives + prior_weight * overall rate) / (rows + prior_weight), both counted over the
    same days; a key that was never seen has the overall rate.
    """

    kind: Literal["history"]
    name: Name
    keys: tuple[Name, ...] = Field(min_length=1)  # columns or derived features
    days: int = Field(ge=1, le=366)
    prior_weight: float = Field(default=50.0, ge=0)

    @property
    def inputs(self) -> tuple[Name, ...]:
        """What it reads of the row that asks."""
        return self.keys


Feature = Annotated[DerivedFeature | HistoryFeature, Field(discriminator="kind")]


class Features(Part):
    """The model's inputs in their order.

    The callable has the signature `(row: Mapping[str, V]) -> Mapping[str, V]`, is elementwise, and
    is called with arrays when training and with scalars when serving: write it with operators.
    Numbers come as float64, categories and text as str, times as seconds since 1970-01-01.
    """

    function: Callable_
    columns: tuple[Feature, ...] = Field(min_length=1)
    max_age_days: int = Field(default=40, ge=1)  # of the snapshot that answers history look-ups
    unknown_category: Literal["missing", "reject"] = "missing"
    known_strong: tuple[Name, ...] = ()  # features that may tell the label nearly alone
