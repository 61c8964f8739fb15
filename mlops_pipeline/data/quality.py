"""The checks that a contract asks for, and what they found on one frame.

A check exists once for the columns whose failure blocks and, as `<name>_warn`, once for those whose
failure only asks a person. Every check always gives an outcome.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mlops_pipeline.contract.columns import Availability, Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data import checks
from mlops_pipeline.data.checks import Finding, Inspected

log = logging.getLogger(__name__)

Check = Callable[[Inspected, Sequence[Column]], Finding]


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check before it has run."""

    name: str
    severity: Severity
    description: str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A check that has run: `value` against `limit`, where it has one finite number.

    `rows` are the first failing rows, personal values masked; `aggregated` counts by reason.
    """

    name: str
    severity: Severity
    passed: bool
    summary: str
    value: float | None
    limit: float | None
    rows: tuple[dict[str, object], ...]
    aggregated: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Planned:
    spec: CheckSpec
    check: Check
    columns: tuple[Column, ...]


def check_specs(contract: ModelContract) -> tuple[CheckSpec, ...]:
    """The checks of this contract, in the order in which they run."""
    return tuple(planned.spec for planned in _plan(contract))


def run_checks(
    contract: ModelContract,
    frame: pd.DataFrame,
    *,
    reference: pd.DataFrame | None,
    usual_rows: Sequence[int],
    as_of: datetime,
    share: float = 1.0,
) -> tuple[CheckOutcome, ...]:
    """What every check found, one outcome for each of `check_specs`.

    `reference` is a frame that was trusted before (None: nothing is compared), `usual_rows` the
    sizes of the model's partitions, `as_of` the asking time, taken as local. `share` is what a
    sample holds of the rows.
    """
    seen = Inspected(contract, frame, reference, usual_rows, as_of.replace(tzinfo=None), share)
    outcomes = []
    for planned in _plan(contract):
        found = planned.check(seen, planned.columns)
        spec = planned.spec
        outcomes.append(
            CheckOutcome(
                name=spec.name,
                severity=spec.severity,
                passed=found.passed,
                summary=found.summary,
                value=found.value
                if found.value is not None and math.isfinite(found.value)
                else None,
                limit=found.limit,
                rows=found.rows,
                aggregated=found.counts,
            )
        )
        if not found.passed:
            log.warning("check=%s severity=%s %s", spec.name, spec.severity.value, found.summary)
    return tuple(outcomes)


def _plan(contract: ModelContract) -> tuple[_Planned, ...]:
    columns = contract.columns
    numbers = [c for c in columns if c.type in (ColumnType.NUMBER, ColumnType.INTEGER)]
    words = [c for c in columns if c.type is ColumnType.CATEGORY]
    known = [c for c in (*numbers, *words) if c.available is Availability.REQUEST]
    entity = [contract.column(name) for name in contract.entity]
    return (
        _one("schema", Severity.ERROR, checks.schema, columns),
        *_by_severity("nulls", checks.nulls, columns),
        *_by_severity("ranges", checks.ranges, numbers),
        *_by_severity("categories", checks.categories, words),
        _one("uniqueness", Severity.ERROR, checks.uniqueness, entity),
        _one("volume", Severity.ERROR, checks.volume, ()),
        _one("freshness", Severity.ERROR, checks.freshness, ()),
        _one("distribution", Severity.WARN, checks.distribution, known),
        _one("label_rate", Severity.ERROR, checks.label_rate, ()),
    )


def _one(name: str, severity: Severity, check: Check, columns: Sequence[Column]) -> _Planned:
    return _Planned(CheckSpec(name, severity, check.__doc__ or name), check, tuple(columns))


def _by_severity(name: str, check: Check, columns: Sequence[Column]) -> list[_Planned]:
    """The check on the columns that block; a second one on those that warn, if there are any."""
    hard = [column for column in columns if column.severity is Severity.ERROR]
    soft = [column for column in columns if column.severity is Severity.WARN]
    planned = [_one(name, Severity.ERROR, check, hard)]
    if soft:
        planned.append(_one(f"{name}_warn", Severity.WARN, check, soft))
    return planned
