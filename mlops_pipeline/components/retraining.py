"""The retrain controller on the Dagster floor: a wish becomes one run, or a reason why not.

The ledger decides; a run's key is its request and attempt, so that asking again, a lost cursor or
a daemon that died between two writes starts nothing twice.
"""

from datetime import UTC, datetime

import dagster as dg
import msgspec

from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import name
from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.errors import SourceError
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.ledger import retrains
from mlops_pipeline.ledger.retrains import RetrainRequest, RetrainSource
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.monitoring import tags
from mlops_pipeline.monitoring.retraining import Inputs, Reason, ask, chain, refuse
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.environment import read_environment

REASON_TAG = "mlops/reason"
WHY_TAG = "mlops/why"  # the whole chain as JSON
ATTEMPT_TAG = "mlops/attempt"
LONGEST_TAG = 1000


def inputs_of(contract: ModelContract, house: House, as_of: str | None) -> Inputs | None:
    """What a fit as of that day would depend on; None while its rows are not stored."""
    try:
        window = house.snapshots.window_until(contract, as_of or "")
        snapshot = house.snapshots.commit(contract, window)
    except SourceError:
        return None
    causes = {
        "snapshot": snapshot.digest,
        "features": definition_digest(contract),
        "contract": contract_digest(contract),
        "code": read_code().sources,
        "environment": msgspec.to_builtins(read_environment()),
    }
    return Inputs(snapshot.digest, digest_of(canonical_json(causes)))


def wish(
    contract: ModelContract,
    house: House,
    *,
    reason: Reason,
    source: RetrainSource,
    launcher: str,
    cursor: str | None = None,
) -> tuple[dg.RunRequest | str, str]:
    """The run to launch, or the ruling against it; and the cursor, which only keeps the ledger
    from being told the same refusal again."""
    now = datetime.now(UTC)
    inputs = inputs_of(contract, house, reason.as_of)
    with transaction(house.ledger) as tx:
        ruling = ask(tx, contract, reason=reason, source=source, inputs=inputs, now=now)
        mark = f"{reason.metric} {reason.window} {reason.version} {ruling.rule}"
        if ruling.request is None:
            if cursor != mark:
                refuse(tx, contract, ruling, reason, now=now)
            return ruling.text, mark
        request = retrains.launch(tx, ruling.request.id, by=launcher, now=now)
    if request.launched_by != launcher:
        return f"joined request {request.id}, which {request.launched_by} hands out", mark
    return run_of(contract, request), mark


def run_of(contract: ModelContract, request: RetrainRequest) -> dg.RunRequest:
    """The run that answers the request; its tags carry who asked, and why."""
    as_of = next((r["as_of"] for r in request.reasons if r.get("as_of")), "")
    config = {"ops": {name(contract, "snapshot"): {"config": {"as_of": as_of}}}} if as_of else {}
    return dg.RunRequest(
        run_key=f"{name(contract, 'retrain')}-{request.id}-{request.attempt}",
        job_name=name(contract, "train"),
        run_config=config,
        tags={
            tags.RETRAIN: str(request.id),
            "mlops/train": contract.name,
            ATTEMPT_TAG: str(request.attempt),
            REASON_TAG: chain(request)[:LONGEST_TAG],
            WHY_TAG: msgspec.json.encode(request.reasons).decode(),
        },
    )
