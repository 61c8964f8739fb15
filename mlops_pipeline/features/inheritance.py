"""What a feature inherits from the columns it is made of: who may see it, what for, and when.

No pandas here: contracts are checked by this module before anything is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mlops_pipeline.contract.columns import (
    Availability,
    Column,
    Feature,
    HistoryFeature,
    Sensitivity,
)
from mlops_pipeline.contract.findings import Location
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError

ORDER = (Sensitivity.PUBLIC, Sensitivity.INTERNAL, Sensitivity.PERSONAL)


@dataclass(frozen=True, slots=True)
class Inherited:
    """The strictest of all its columns' words. `purposes` is None where every use is allowed."""

    columns: tuple[str, ...]
    sensitivity: Sensitivity
    purposes: frozenset[str] | None
    available: Availability


def inherited(contract: ModelContract, feature: Feature) -> Inherited:
    """What the feature may be, through derived features down to the source's columns.

    A history feature also carries the purposes of the target's column: it counts its values. When
    these are known is a matter of the days it counts, not of the row.
    """
    read = sources_of(contract, feature)
    counted = [contract.target.column] if isinstance(feature, HistoryFeature) else []
    columns = [contract.column(name) for name in read]
    limits = [
        frozenset(column.purposes)
        for column in (*columns, *(contract.column(name) for name in counted))
        if column.purposes
    ]
    return Inherited(
        columns=read,
        sensitivity=max((c.sensitivity for c in columns), key=ORDER.index),
        purposes=frozenset.intersection(*limits) if limits else None,
        available=_latest(columns),
    )


def sources_of(contract: ModelContract, feature: Feature) -> tuple[str, ...]:
    """The columns that a feature is made of, sorted."""
    derived = {other.name: other for other in contract.derived}
    found: set[str] = set()
    for name in feature.inputs:
        through = derived.get(name) if isinstance(feature, HistoryFeature) else None
        found |= {name} if through is None else set(through.inputs)
    return tuple(sorted(found))


def policy_problems(contract: ModelContract) -> Iterator[tuple[Location, str]]:
    """Every feature that may not be one, at its place in the contract."""
    for index, feature in enumerate(contract.features.columns):
        at = ("features", "columns", index)
        has = inherited(contract, feature)
        made = f"feature {feature.name} is made of {', '.join(has.columns)}"
        if has.sensitivity is Sensitivity.PERSONAL:
            yield at, f"{made}, of which one is personal: no feature may be"
        if has.available is Availability.OUTCOME:
            yield at, f"{made}, of which one is known only with the outcome"
        if has.purposes is not None and contract.purpose not in has.purposes:
            allowed = ", ".join(sorted(has.purposes)) or "nothing in common"
            yield at, f"{made}, which is for {allowed}; this model's purpose is {contract.purpose}"


def require_allowed(contract: ModelContract) -> None:
    """No feature breaks the policy.

    Raises:
        FeatureError: which do, and why.
    """
    problems = [what for _, what in policy_problems(contract)]
    if problems:
        raise FeatureError(f"{contract.name}: {'; '.join(problems)}")


def _latest(columns: list[Column]) -> Availability:
    late = any(column.available is Availability.OUTCOME for column in columns)
    return Availability.OUTCOME if late else Availability.REQUEST
