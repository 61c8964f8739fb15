"""The ground floor's checks on the Dagster floor: what they promise, and how they are settled."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import check_result
from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.data.quality import CheckOutcome, CheckSpec
from mlops_pipeline.data.review import settle
from mlops_pipeline.ledger.store import transaction


def declared(asset: dg.AssetKey, specs: Iterable[CheckSpec]) -> list[dg.AssetCheckSpec]:
    """The checks of one asset; those whose severity is an error block what follows."""
    return [
        dg.AssetCheckSpec(
            spec.name,
            asset=asset,
            description=spec.description,
            blocking=spec.severity is Severity.ERROR,
        )
        for spec in specs
    ]


def settled(
    house: House, model: str, asset: dg.AssetKey, subject: str, outcomes: Iterable[CheckOutcome]
) -> Iterator[dg.AssetCheckResult]:
    """Each outcome as it counts for the content `subject`: a failure asks a person, an approval
    answers."""
    for outcome in outcomes:
        with transaction(house.ledger) as tx:
            counts = settle(tx, model, subject, outcome, now=datetime.now(UTC))
        yield check_result(asset, counts)
