"""What a person has to say about a check: warnings ask, approvals answer for one snapshot."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from mlops_pipeline.data.quality import CheckOutcome
from mlops_pipeline.ledger import reviews
from mlops_pipeline.ledger.reviews import ReviewKind


def settle(
    tx: Connection, model: str, snapshot_digest: str, outcome: CheckOutcome, *, now: datetime
) -> CheckOutcome:
    """The outcome as it counts: a failure opens a review item, an approved one passes.

    The approval holds for this snapshot's digest and this check; other data is asked about again.
    """
    if outcome.passed:
        return outcome
    if reviews.is_approved(tx, model, subject=snapshot_digest, check=outcome.name):
        return replace(outcome, passed=True, summary=f"{outcome.summary} (approved by a person)")
    reviews.open_review(
        tx,
        model,
        kind=ReviewKind.DATA,
        subject=snapshot_digest,
        check=outcome.name,
        severity=outcome.severity.value,
        detail={
            "summary": outcome.summary,
            "value": outcome.value,
            "limit": outcome.limit,
            "counts": outcome.aggregated,
            "rows": list(outcome.rows),
        },
        now=now,
    )
    return outcome
