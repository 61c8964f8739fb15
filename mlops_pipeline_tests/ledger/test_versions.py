"""Versions never change, and know whether they served."""

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, quarantine, versions
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON, with_versions


def test_a_version_comes_back_as_it_was_added(tx: Connection) -> None:
    added = versions.add(tx, MODEL, "1", bundle="b", lineage="l", now=NOON)
    assert added == versions.get(tx, MODEL, "1")
    assert (added.status, added.first, added.served) == (VersionStatus.REGISTERED, False, None)


def test_adding_a_version_again_changes_nothing(tx: Connection) -> None:
    with_versions(tx, "1", "1")
    assert len(versions.all_of(tx, MODEL)) == len(audit.entries(tx)) == 1


def test_a_version_does_not_change_its_bytes(tx: Connection) -> None:
    with_versions(tx, "1")
    with pytest.raises(LedgerError, match=r"version 1 is bundle bundle-1…, not other…"):
        versions.add(tx, MODEL, "1", bundle="other", lineage="lineage-1", now=NOON)


def test_an_unknown_version_is_an_error_that_names_the_known(tx: Connection) -> None:
    with_versions(tx, "1", "2")
    with pytest.raises(LedgerError, match="toy has no version '3'; known: 1, 2"):
        versions.get(tx, MODEL, "3")


def test_versions_that_served_are_rollback_targets_newest_first(tx: Connection) -> None:
    with_versions(tx, "1", "2", "3")
    versions.mark_served(tx, MODEL, "2", now=NOON)
    versions.mark_served(tx, MODEL, "1", now=LATER)
    assert [row.version for row in versions.proven(tx, MODEL)] == ["1", "2"]


def test_a_version_in_quarantine_is_no_rollback_target(tx: Connection) -> None:
    with_versions(tx, "1")
    versions.mark_served(tx, MODEL, "1", now=NOON)
    quarantine.put(tx, MODEL, "lineage-1", version="1", reason="errors", now=LATER)
    assert versions.proven(tx, MODEL) == ()


def test_setting_the_same_status_again_is_not_recorded(tx: Connection) -> None:
    with_versions(tx, "1")
    for _ in range(2):
        versions.set_status(
            tx, MODEL, "1", VersionStatus.STAGING, reason="passed its gate", now=NOON
        )
    actions = [entry.action for entry in audit.entries(tx, "toy/version/1")]
    assert actions == ["version.added", "version.status"]
