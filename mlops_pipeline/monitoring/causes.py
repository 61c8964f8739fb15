"""Causes of incidents: each has one stable word, an owner, and a runbook that says what to do."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.incidents import Incident, IncidentSeverity

RUNBOOKS = "docs/runbooks"
PLATFORM = "team:platform"  # owns what belongs to no model
FLEET = "fleet"  # the model of incidents that belong to no model
LONGEST_SUMMARY = 500


class Cause(StrEnum):
    """Why a person is told."""

    DRIFT = "drift"
    OUTAGE = "data_outage"
    PERFORMANCE = "performance"
    LABELS = "labels_missing"
    STALE = "stale_data"
    ENVIRONMENT = "environment_drift"
    BUDGET = "retraining_budget"
    NO_GAIN = "retraining_without_gain"
    OVERRIDE = "retraining_override"
    RUN = "run_failed"
    CHECK = "check_failed"
    SENSOR = "sensor_failed"
    DAEMON = "daemon_silent"
    TEST = "test_alert"


SEVERITY: Mapping[Cause, IncidentSeverity] = {
    Cause.OUTAGE: IncidentSeverity.CRITICAL,
    Cause.PERFORMANCE: IncidentSeverity.CRITICAL,
    Cause.NO_GAIN: IncidentSeverity.CRITICAL,
    Cause.DAEMON: IncidentSeverity.CRITICAL,
}  # the others warn


def runbook(cause: Cause) -> str:
    """Where it stands what to do."""
    return f"{RUNBOOKS}/{cause}.md"


def tell(
    tx: Connection,
    model: str,
    cause: Cause,
    *,
    owner: str,
    summary: str,
    detail: Mapping[str, object],
    now: datetime,
    of: str = "",
) -> Incident:
    """One incident of that cause is open, with its owner and its runbook.

    Args:
        detail: value against limit, n, window, versions, links; in the order in which people read.
        of: what it concerns where a model can have several of a cause, such as a job's name.
    """
    return incidents.raise_incident(
        tx,
        model,
        cause=f"{cause}:{of}" if of else cause.value,
        severity=SEVERITY.get(cause, IncidentSeverity.WARNING),
        summary=summary,
        detail={**detail, "owner": owner, "runbook": runbook(cause)},
        now=now,
    )


def settle(
    tx: Connection,
    model: str,
    cause: Cause,
    *,
    well: bool,
    said: str,
    owner: str,
    detail: Mapping[str, object],
    now: datetime,
    of: str = "",
) -> None:
    """As things stand now, the incident of that cause is resolved or open; `said` is why."""
    if well:
        recovered(tx, model, cause, reason=said, now=now, of=of)
    else:
        summary = said[:LONGEST_SUMMARY]
        tell(tx, model, cause, owner=owner, summary=summary, detail=detail, now=now, of=of)


def recovered(
    tx: Connection, model: str, cause: Cause, *, reason: str, now: datetime, of: str = ""
) -> Incident | None:
    """The open incident of that cause is resolved, and those who heard of it are told; None where
    there is none."""
    word = f"{cause}:{of}" if of else cause.value
    for incident in incidents.open_incidents(tx, model):
        if incident.cause == word:
            return incidents.resolve(tx, incident.id, reason=reason, now=now)
    return None
