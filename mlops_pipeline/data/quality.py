"""The checks that a contract asks for, and what they found on one frame.

A check exists once for the columns whose failure blocks and, as `<name>_warn`, once for those whose
failure only asks a person. Every check always gives an outcome.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pandas as pd

from mlops_pipeline.contract.columns import (
    Availability,
    Column,
    ColumnType,
    Dependency,
    Relation,
    Severity,
)
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data import (
    checks,
    compared_checks,
    dependencies,
    evolution_checks,
    partition_checks,
)
from mlops_pipeline.data.inspected import Finding, Inspected

log = logging.getLogger(__name__)

T = TypeVar("T")
J = TypeVar("J", Column, Relation, Dependency)
_Check = Callable[[Inspected, Sequence[T]], Finding]


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
    run: Callable[[Inspected], Finding]


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
    source_columns: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[CheckOutcome, ...]:
    """What every check found, one outcome for each of `check_specs`.

    `reference` is a frame that was trusted before (None: nothing is compared), `usual_rows` the
    sizes of the model's partitions, `as_of` the asking time, taken as local. `share` is what a
    sample holds of the rows, `source_columns` the kinds of the source's columns by month.
    """
    asked = as_of.replace(tzinfo=None)
    noted = source_columns or {}
    seen = Inspected(contract, frame, reference, usual_rows, asked, share, noted)
    outcomes = []
    for planned in _plan(contract):
        found = planned.run(seen)
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
    measured = partition_checks.identifying(columns)
    return (
        _one("schema", Severity.ERROR, checks.schema, columns),
        _one("schema_evolution", contract.source.evolution, evolution_checks.schema_evolution, ()),
        *_by_severity("nulls", checks.nulls, columns),
        *_by_severity("ranges", checks.ranges, numbers),
        *_by_severity("categories", checks.categories, words),
        _one("uniqueness", Severity.ERROR, checks.uniqueness, entity),
        *_by_severity("relations", checks.relations, contract.relations),
        *_by_severity("dependencies", dependencies.dependencies, contract.dependencies),
        _one("volume", Severity.ERROR, partition_checks.volume, ()),
        _one("freshness", Severity.ERROR, partition_checks.freshness, ()),
        _one("late_partitions", Severity.ERROR, partition_checks.late_partitions, ()),
        _one("copied_partitions", Severity.ERROR, partition_checks.copied_partitions, measured),
        _one("variation", Severity.ERROR, compared_checks.variation, known),
        _one("distribution", Severity.WARN, compared_checks.distribution, known),
        _one("label_rate", Severity.ERROR, compared_checks.label_rate, ()),
        _one("label_noise", Severity.WARN, compared_checks.label_noise, words),
    )


def _one(name: str, severity: Severity, check: _Check[T], looked_at: Sequence[T]) -> _Planned:
    run = _bound(check, tuple(looked_at))
    text = " ".join((check.__doc__ or name).split())
    return _Planned(CheckSpec(name, severity, text), run)


def _bound(check: _Check[T], looked_at: Sequence[T]) -> Callable[[Inspected], Finding]:
    return lambda seen: check(seen, looked_at)


def _by_severity(name: str, check: _Check[J], judged: Sequence[J]) -> list[_Planned]:
    """The check on what blocks; a second one on what only warns, if there is any."""
    hard = [one for one in judged if one.severity is Severity.ERROR]
    soft = [one for one in judged if one.severity is Severity.WARN]
    planned = [_one(name, Severity.ERROR, check, hard)]
    if soft:
        planned.append(_one(f"{name}_warn", Severity.WARN, check, soft))
    return planned
