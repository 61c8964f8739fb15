"""Asking for a training from elsewhere: a run whose tags say how the controller ruled.

CI launches it in place of the training itself. The wish stands under the same rules as everybody
else's, and one sensor hands the run out; whoever asked follows the request's number to its verdict.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import name
from mlops_pipeline.components.retraining import inputs_of
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.monitoring import tags
from mlops_pipeline.monitoring.retraining import Reason, Ruling, ask, refuse

KEY_TAG = "mlops/ci_key"  # as `mlops ci run --key` sets it
COMMIT_TAG = "commit"
LONGEST_TAG = 1000


def ask_job(contract: ModelContract) -> dg.JobDefinition:
    """`<model>__ask`: the retrain controller is asked once."""

    @dg.op(name=name(contract, "ask_controller"))
    def ask_controller(context: dg.OpExecutionContext, house: House) -> None:
        run, now = context.run, datetime.now(UTC)
        key, commit = run.tags.get(KEY_TAG, run.run_id[:8]), run.tags.get(COMMIT_TAG, "unknown")
        as_of = as_of_in(contract, json.loads(run.tags.get(tags.RUN_CONFIG, "{}")))
        reason = Reason("ci", key, f"commit {commit}", as_of=as_of)
        inputs = inputs_of(contract, house, as_of)
        with transaction(house.ledger) as tx:
            source = RetrainSource.CI
            ruling = ask(tx, contract, reason=reason, source=source, inputs=inputs, now=now)
            if not ruling.asked:
                refuse(tx, contract, ruling, reason, now=now)
        context.log.info("%s: %s", ruling.rule, ruling.text)
        context.instance.add_run_tags(run.run_id, said(ruling))

    @dg.job(
        name=name(contract, "ask"),
        description="Ask the retrain controller for a training, as CI does; the tags are its word.",
        executor_def=dg.in_process_executor,
    )
    def asking() -> None:
        ask_controller()

    return asking


def said(ruling: Ruling) -> dict[str, str]:
    """The ruling as tags of the run that asked for it."""
    found = {tags.RULE: ruling.rule.value, tags.RULING: ruling.text[:LONGEST_TAG]}
    if ruling.request is not None:
        found[tags.REQUEST] = str(ruling.request.id)
    if ruling.came_to is not None:
        found[tags.CAME_TO] = ruling.came_to
    return found


def as_of_in(contract: ModelContract, config: Mapping[str, Any]) -> str | None:
    """The day that the training's run config names.

    Raises:
        Failure: the config says more than that; a request, which several share, cannot carry it.
    """
    place = name(contract, "snapshot")
    day = config.get("ops", {}).get(place, {}).get("config", {}).get("as_of")
    if config not in ({}, {"ops": {place: {"config": {"as_of": day}}}}):
        raise dg.Failure(
            f"the controller hands on ops.{place}.config.as_of alone; with any other config launch "
            "past it: mlops ci run --past-controller REASON"
        )
    return day
