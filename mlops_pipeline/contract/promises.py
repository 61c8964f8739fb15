"""What a model must prove and how it may reach users: criteria, slices, rollout, monitoring."""

import json
from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mlops_pipeline.contract.columns import Name, Part, Severity
from mlops_pipeline.contract.tasks import Gap, Metric


class Splits(Part):
    """By time: train on everything from `train_from`, judge on the `test_months` before the asking
    time, stop early on the last `validation_days` of training."""

    train_from: date
    test_months: int = Field(default=1, ge=1)
    validation_days: int = Field(default=14, ge=1)
    group: Literal["day", "row"] = "day"  # rows of one group share noise and are resampled together


class Space(Part):
    """The values of one parameter that a search may try: a range, or a few choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False  # only integers
    choices: tuple[str | int | float | bool, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> "Space":
        ranged = self.low is not None and self.high is not None
        if ranged == bool(self.choices) or (self.low is None) != (self.high is None):
            raise ValueError("say either low and high, or choices")
        if self.low is not None and self.high is not None:
            if not self.low < self.high:
                raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
            if self.log and self.low <= 0:
                raise ValueError("log needs low above 0")
        return self


class Search(Part):
    """A search for better parameters on the validation rows, seeded by the contract."""

    trials: int = Field(ge=1, le=500)
    space: dict[Name, Space] = Field(min_length=1)


class Candidate(Part):
    """One way to fit a model."""

    name: Name
    trainer: Literal["lightgbm", "torch"]
    params: dict[str, Any] = Field(default_factory=dict)
    search: Search | None = None
    compiled: bool = False  # trees as native code, made at registration; see registry/compiled.py

    @field_validator("params")
    @classmethod
    def _finite(cls, params: dict[str, Any]) -> dict[str, Any]:
        json.dumps(params, allow_nan=False)  # else the contract has no canonical JSON
        return params


class Criterion(Part):
    """A bound on a metric: absolute (`at_least`, `at_most`), or against the champion (`margin`).

    A bound is met when the whole confidence interval meets it. `margin` is the largest loss, in the
    metric's unit, at which a candidate still counts as not worse; `cap` is the largest gain that is
    believed without a person looking.
    """

    metric: Metric
    at_least: float | None = None
    at_most: float | None = None
    margin: float | None = Field(default=None, gt=0)
    cap: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_kind(self) -> "Criterion":
        absolute = self.at_least is not None or self.at_most is not None
        if absolute == (self.margin is not None):
            raise ValueError("say either at_least / at_most, or margin")
        if self.cap is not None and self.margin is None:
            raise ValueError("cap goes with margin")
        return self


class Resources(Part):
    """What one version may cost."""

    single_row_p99_ms: float = Field(default=50, gt=0)
    bundle_mib: float = Field(default=100, gt=0)
    load_seconds: float = Field(default=10, gt=0)


class Acceptance(Part):
    """What a candidate must prove before it may serve."""

    confidence: float = Field(default=0.9, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=200)
    choose_by: Metric = "log_loss"
    beat_linear: Metric | None = None  # in it, a candidate has to beat a cheap linear model
    threshold: float = Field(default=0.5, gt=0, lt=1)  # above it the answer is yes
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    resources: Resources = Resources()


class Slice(Part):
    """Rows cut by a column or feature; a proven loss beyond `margin` in one cut is a veto."""

    by: Name
    bins: tuple[float, ...] = ()  # edges, for numbers
    metric: Metric = "log_loss"
    margin: float = Field(gt=0)
    min_rows: int = Field(default=200, ge=1)
    min_positives: int = Field(default=50, ge=1)


class FairnessGroup(Part):
    """Groups between which a gap is measured and bounded."""

    by: Name
    metric: Gap
    max_gap: float = Field(gt=0)
    min_rows: int = Field(default=500, ge=1)
    severity: Severity = Severity.WARN


class Guard(Part):
    """A share of bad outcomes that users may see: failures, or answers slower than `over_ms`."""

    name: Name
    over_ms: float | None = Field(default=None, gt=0)  # missing: bad means a failed request
    budget: float = Field(gt=0, lt=1)
    tolerance: float = Field(default=1.25, ge=1)  # largest tolerated multiple of the stable's rate


class BakeLabels(Part):
    """What labels must say of the candidate before its bake can end in a promotion."""

    answers: int = Field(default=200, ge=1)  # labelled answers of the candidate, at the least
    max_wrong: float = Field(gt=0, lt=1)  # share of them on the wrong side of the threshold


class Rollout(Part):
    """How traffic moves to a new version, each step on evidence."""

    shadow_requests: int = Field(default=300, ge=0)
    max_score_shift: float = Field(default=0.2, gt=0)  # mean |challenger - champion| in shadow
    steps: tuple[float, ...] = (1, 5, 25, 50, 100)  # per cent of randomised units
    requests_per_step: int = Field(default=200, ge=1)  # answered by the challenger, at the least
    alpha: float = Field(default=0.05, gt=0, lt=0.5)  # false rollbacks over a whole rollout
    guards: tuple[Guard, ...] = Field(min_length=1)
    consecutive_failures: int = Field(default=5, ge=2)  # the reflex: no statistics needed
    step_deadline_minutes: float = Field(default=60, gt=0)
    bake_minutes: float = Field(default=0, ge=0)
    labels: BakeLabels | None = None  # without them the bake asks for no label
    preflight_requests: int = Field(default=500, ge=0)  # recent ones, held against the candidate
    max_refused: float = Field(default=0.01, ge=0, lt=1)  # share of them that it may refuse
    timeout_ms: int = Field(default=2000, ge=10)

    @field_validator("steps")
    @classmethod
    def _growing(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if list(steps) != sorted(set(steps)) or steps[-1:] != (100,):
            raise ValueError(f"steps must grow and end at 100, not {list(steps)}")
        if steps[0] <= 0:
            raise ValueError(f"steps start above 0, not at {steps[0]}")
        return steps

    @model_validator(mode="after")
    def _labels_have_time(self) -> "Rollout":
        if self.labels is not None and not self.bake_minutes:
            raise ValueError("labels need bake_minutes: they come while the old champion is warm")
        return self


class ColumnDrift(Part):
    """How one feature is watched: Evidently's method and the value at which it counts as drift."""

    column: Name
    method: Literal["psi", "jensenshannon", "wasserstein", "ks"] = "psi"
    threshold: float = Field(default=0.2, gt=0)
    max_null_shift: float = Field(default=0.1, gt=0, le=1)


class LiveBound(Part):
    """How much worse than at its release a version may become in service before it counts.

    A window is bad when its whole confidence interval lies beyond the released value by more than
    `margin`, in the metric's unit.
    """

    metric: Metric
    margin: float = Field(gt=0)


class ErrorCost(Part):
    """What a wrong answer costs, in any one unit: saying yes for no, and no for yes."""

    false_yes: float = Field(default=1, ge=0)
    false_no: float = Field(default=1, ge=0)


class Monitoring(Part):
    """What is watched in service, and when it counts.

    A finding fires when `fire_on` of the newest `windows` windows are bad, the newest among them.
    """

    window_days: int = Field(default=30, ge=1)
    min_rows: int = Field(default=500, ge=50)
    drift: tuple[ColumnDrift, ...] = Field(min_length=1)
    drifted_columns: int = Field(default=1, ge=1)  # this many at once are an incident
    prediction_psi: float = Field(default=0.2, gt=0)
    windows: int = Field(default=1, ge=1)
    fire_on: int = Field(default=1, ge=1)
    false_alarms: float = Field(default=0.05, gt=0, lt=1)  # per unchanged window, all columns
    min_importance: float = Field(default=0.05, ge=0, le=1)  # of the model, in drifted columns
    max_volume_drop: float = Field(default=0.5, gt=0, le=1)  # below the usual answers of a window
    performance: tuple[LiveBound, ...] = (LiveBound(metric="roc_auc", margin=0.05),)
    cost: ErrorCost = ErrorCost()
    min_coverage: float = Field(default=0.9, gt=0, le=1)  # matured predictions with a known label
    maturity: float = Field(default=0.95, gt=0, lt=1)  # of the labels that come at all, are there
    max_age_hours: float | None = Field(default=None, gt=0)  # of stored rows; unset: not watched

    @model_validator(mode="after")
    def _can_fire(self) -> "Monitoring":
        if self.fire_on > self.windows:
            raise ValueError(f"fire_on ({self.fire_on}) of windows ({self.windows}) never fires")
        return self


class Retraining(Part):
    """When a new candidate is trained without being asked, and when no more is."""

    schedule: str = "0 6 2 * *"  # cron, UTC
    cooldown_hours: float = Field(default=24, ge=0)
    budget_days: float = Field(default=30, gt=0)  # the period of the two budgets
    budget_runs: int = Field(default=8, ge=1)
    budget_minutes: float = Field(default=600, gt=0)
    attempts: int = Field(default=2, ge=1)  # of one request, where a run broke
    max_without_gain: int = Field(default=3, ge=1)  # then a person says how it goes on
    influenced_by: Name | None = None  # the column that is 1 where the answer changed what happened
    max_influenced_share: float = Field(default=0.1, ge=0, lt=1)  # of the rows a fit may learn from


class Approvals(Part):
    """Where a person must say yes before traffic grows."""

    before_traffic: bool = False
    before_promotion: bool = False
    four_eyes: bool = False  # two people say yes, neither of whom began the rollout
    expire_hours: float = Field(default=72, gt=0)
