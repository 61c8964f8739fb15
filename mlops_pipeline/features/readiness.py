"""Are the look-ups there that a version needs? Asked before it gets traffic.

No pandas here: the delivery room and servers may ask.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.online import FeatureSnapshot, newest


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a version's look-ups are there, and if not, why and what mends it."""

    ready: bool
    reason: str
    snapshot: FeatureSnapshot | None = None

    def __bool__(self) -> bool:
        return self.ready


def readiness(
    folder: Path, contract: ModelContract, definition: str, asked: date | None
) -> Readiness:
    """Whether `folder` (of the model) holds a whole and fresh snapshot of the version's definition.

    `contract` and `definition` are the version's own, as its bundle holds them. `asked` is the day
    of the rows that will be answered, today in production; None in a replay of the past, where age
    says nothing. A model without history features needs no snapshot.
    """
    if not contract.history:
        return Readiness(True, "no feature looks anything up")
    mend = f"materialise {contract.name}/feature_snapshot"
    try:
        found = newest(folder, definition)
    except FeatureError as error:
        return Readiness(False, f"damaged: {error}")
    if found is None:
        others = sorted(p.name[:12] for p in folder.glob("*") if (p / "newest").is_file())
        if others:
            return Readiness(
                False,
                f"other definition: the version needs {definition[:12]}…, published are "
                f"{', '.join(others)}; {mend} with the version's feature code",
            )
        return Readiness(False, f"missing: nothing is published in {folder}; {mend}")
    if found.model != contract.name:
        return Readiness(False, f"other model: {folder} holds look-ups of {found.model}")
    age = 0 if asked is None else (asked - found.as_of).days
    limit = contract.features.max_age_days
    if age > limit:
        what = f"stale: look-ups of {found.as_of} are {age} days old on {asked}, limit {limit}"
        return Readiness(False, f"{what}; {mend}", found)
    lacking = [feature.name for feature in contract.history if feature.name not in found.tables]
    if lacking:
        return Readiness(False, f"incomplete: no table for {', '.join(lacking)}; {mend}", found)
    return Readiness(True, f"look-ups of {found.as_of}, {age} days old", found)
