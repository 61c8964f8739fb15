"""One incident per cause."""

from datetime import datetime

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, incidents, outbox
from mlops_pipeline.ledger.incidents import Incident, IncidentSeverity, IncidentState
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON


def raised(tx: Connection, cause: str = "drift", *, now: datetime = NOON) -> Incident:
    return incidents.raise_incident(
        tx,
        MODEL,
        cause=cause,
        severity=IncidentSeverity.WARNING,
        summary="3 of 8 columns drifted",
        detail={"drifted": 3},
        now=now,
    )


def test_an_incident_and_its_alert_are_written_together(tx: Connection) -> None:
    incident = raised(tx)
    assert incidents.open_incidents(tx, MODEL) == (incident,)
    (item,) = outbox.due(tx, NOON)
    assert (item.incident_id, item.event, item.attempts) == (incident.id, "raised", 0)


def test_the_same_cause_is_told_once_and_counted(tx: Connection) -> None:
    raised(tx)
    again = raised(tx, now=LATER)
    assert (again.times, again.raised, again.last_seen) == (2, NOON, LATER)
    assert len(outbox.undelivered(tx)) == 1


def test_another_cause_is_another_incident(tx: Connection) -> None:
    raised(tx, "drift")
    raised(tx, "rollback")
    assert [row.cause for row in incidents.open_incidents(tx)] == ["drift", "rollback"]
    assert incidents.open_incidents(tx, "another") == ()


def test_an_acknowledged_incident_stays_open(tx: Connection) -> None:
    held = incidents.acknowledge(tx, raised(tx).id, by="anna", now=LATER)
    assert (held.state, held.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "anna")
    assert raised(tx, now=LATER).id == held.id


def test_a_resolved_incident_is_told_and_the_cause_can_come_again(tx: Connection) -> None:
    first = raised(tx)
    incidents.resolve(tx, first.id, reason="new version", now=LATER)
    assert incidents.open_incidents(tx) == ()
    assert [item.event.value for item in outbox.undelivered(tx)] == ["raised", "resolved"]
    assert raised(tx, now=LATER).id != first.id


def test_what_is_resolved_stays_so(tx: Connection) -> None:
    incident = raised(tx)
    incidents.resolve(tx, incident.id, reason="gone", now=LATER)
    with pytest.raises(LedgerError, match="is resolved already"):
        incidents.resolve(tx, incident.id, reason="gone", now=LATER)
    with pytest.raises(LedgerError, match="is resolved already"):
        incidents.acknowledge(tx, incident.id, by="anna", now=LATER)


def test_the_chain_tells_its_story(tx: Connection) -> None:
    incident = raised(tx)
    incidents.acknowledge(tx, incident.id, by="anna", now=LATER)
    incidents.resolve(tx, incident.id, reason="gone", now=LATER)
    story = [(e.action, e.actor) for e in audit.entries(tx, f"toy/incident/{incident.id}")]
    assert story == [
        ("incident.raised", "pipeline"),
        ("incident.acknowledged", "anna"),
        ("incident.resolved", "pipeline"),
    ]


def test_an_unknown_incident_is_an_error(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="no incident has the number 2"):
        incidents.get(tx, 2)
