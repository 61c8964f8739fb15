"""Sensors over checks and sensors themselves: what Dagster leaves silent is told.

A failed check that does not block trips no failure sensor, whatever its severity; a sensor that
raises turns red in the UI and says nothing. Both are read as they stand, not as events, so that a
lost cursor forgets nothing and tells nothing twice.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import dagster as dg
import msgspec
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from mlops_pipeline.components.fleet import owner_of
from mlops_pipeline.components.house import House
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.monitoring.causes import FLEET, PLATFORM, Cause, settle


def checks_watch(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Every asset check's newest result, of any severity: a failure is an incident, until it
    passes."""

    @dg.sensor(
        name="fleet__checks",
        minimum_interval_seconds=60,
        default_status=status,
        description="Raises an incident for every failed check, blocking or not, error or warning.",
        target=None,
    )
    def checks(context: dg.SensorEvaluationContext, house: House) -> dg.SensorResult:
        told: dict[str, str] = msgspec.json.decode(context.cursor or "{}", type=dict[str, str])
        seen = dict(_evaluations(context))
        failing = [word for word, (passed, *_) in seen.items() if not passed]
        for word, (passed, run_id, said, severity) in seen.items():
            if told.get(word) == run_id:
                continue
            finding = "the check passes" if passed else f"check {word} failed: {said}"
            model = word.partition("/")[0]
            with transaction(house.ledger) as tx:
                settle(
                    tx,
                    model,
                    Cause.CHECK,
                    of=word,
                    well=passed,
                    said=finding,
                    owner=owner_of(house, model),
                    detail={"run": run_id, "finding": said, "level": severity},
                    now=datetime.now(UTC),
                )
        cursor = msgspec.json.encode({word: one[1] for word, one in seen.items()}).decode()
        names = ", ".join(failing) or "none"
        return dg.SensorResult(skip_reason=f"{len(seen)} checks, failing: {names}", cursor=cursor)

    return checks


def sensors_watch(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Every sensor's and schedule's newest tick: one that failed is an incident, until it works."""

    @dg.sensor(
        name="fleet__sensors",
        minimum_interval_seconds=60,
        default_status=status,
        description="Raises an incident for every sensor or schedule whose newest tick failed.",
        target=None,
    )
    def sensors(context: dg.SensorEvaluationContext, house: House) -> dg.SkipReason:
        failing = []
        for name, tick in newest_ticks(context.instance).items():
            broken = tick.status is TickStatus.FAILURE
            if broken:
                failing.append(name)
            error = _error_of(tick)
            with transaction(house.ledger) as tx:
                settle(
                    tx,
                    FLEET,
                    Cause.SENSOR,
                    of=name,
                    well=not broken,
                    said=f"{name} fails: {error}" if broken else "it ticks again",
                    owner=PLATFORM,
                    detail={"error": error},
                    now=datetime.now(UTC),
                )
        return dg.SkipReason(f"failing: {', '.join(failing) or 'none'}")

    return sensors


def newest_ticks(instance: dg.DagsterInstance) -> Mapping[str, InstigatorTick]:
    """The newest finished tick of every sensor and schedule that has ever ticked."""
    found: dict[str, InstigatorTick] = {}
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=3)
        ended = [tick for tick in ticks if tick.status is not TickStatus.STARTED]
        if ended:
            found[state.instigator_name] = ended[0]
    return found


def _evaluations(
    context: dg.SensorEvaluationContext,
) -> Iterable[tuple[str, tuple[bool, str, str, str]]]:
    """Each check's newest evaluation: whether it passed, its run, what it said, its severity."""
    definitions = context.repository_def
    if definitions is None:
        return
    keys = sorted(definitions.asset_graph.asset_check_keys, key=str)
    for check in keys:
        for record in context.instance.event_log_storage.get_asset_check_execution_history(
            check, limit=1
        ):
            if record.event is None or record.event.dagster_event is None:
                continue
            if record.event.dagster_event.event_type_value != "ASSET_CHECK_EVALUATION":
                continue
            one = record.event.dagster_event.asset_check_evaluation_data
            word = f"{check.asset_key.to_user_string()}:{check.name}"
            said = one.description or ""
            yield word, (one.passed, record.run_id, said, one.severity.value)


def _error_of(tick: InstigatorTick) -> str:
    error = tick.error
    while error is not None and error.cause is not None:
        error = error.cause
    return "" if error is None else error.message.strip()
