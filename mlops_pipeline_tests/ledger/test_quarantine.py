"""Quarantine holds a lineage, not a number."""

from sqlalchemy import Connection

from mlops_pipeline.ledger import audit, quarantine, versions
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON, with_versions


def test_a_lineage_is_free_until_it_is_put_there(tx: Connection) -> None:
    with_versions(tx, "1")
    assert not quarantine.is_quarantined(tx, MODEL, "lineage-1")
    quarantine.put(tx, MODEL, "lineage-1", version="1", reason="errors", now=NOON)
    assert quarantine.is_quarantined(tx, MODEL, "lineage-1")
    assert not quarantine.is_quarantined(tx, "another", "lineage-1")


def test_every_version_of_the_lineage_is_marked(tx: Connection) -> None:
    with_versions(tx, "1", "3")
    versions.add(tx, MODEL, "2", bundle="b", lineage="lineage-1", now=NOON)
    quarantine.put(tx, MODEL, "lineage-1", version="2", reason="errors", now=NOON)
    statuses = {row.version: row.status.value for row in versions.all_of(tx, MODEL)}
    assert statuses == {"1": "quarantined", "2": "quarantined", "3": "registered"}


def test_the_first_reason_stays(tx: Connection) -> None:
    with_versions(tx, "1")
    quarantine.put(tx, MODEL, "lineage-1", version="1", reason="errors", now=NOON)
    quarantine.put(tx, MODEL, "lineage-1", version="1", reason="slow", now=LATER)
    (held,) = quarantine.all_of(tx, MODEL)
    assert (held.reason, held.since) == ("errors", NOON)
    assert [e.action for e in audit.entries(tx)].count("quarantine.put") == 1
