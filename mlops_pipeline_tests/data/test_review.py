from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.data.quality import CheckOutcome
from mlops_pipeline.data.review import settle
from mlops_pipeline.ledger import reviews
from mlops_pipeline.ledger.store import open_ledger, transaction

NOW = datetime(2024, 2, 1, tzinfo=UTC)
FAILED = CheckOutcome("ranges", Severity.ERROR, False, "amount: outside", 1.0, 0.0, (), {})


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Connection]:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def test_a_check_that_passed_asks_nobody(tx: Connection) -> None:
    passed = CheckOutcome("ranges", Severity.ERROR, True, "good", 0.0, 0.0, (), {})
    assert settle(tx, "visits", "d1", passed, now=NOW) == passed
    assert reviews.open_items(tx) == ()


def test_a_failed_check_asks_once_and_stays_failed(tx: Connection) -> None:
    for _ in range(2):
        assert settle(tx, "visits", "d1", FAILED, now=NOW) == FAILED
    (item,) = reviews.open_items(tx, "visits")
    assert (item.subject, item.check, item.severity) == ("d1", "ranges", "error")


def test_an_approval_lets_that_snapshot_pass_that_check_and_no_other(tx: Connection) -> None:
    settle(tx, "visits", "d1", FAILED, now=NOW)
    (item,) = reviews.open_items(tx)
    reviews.approve(tx, item.id, approver="ada", reason="known outage", now=NOW)
    settled = settle(tx, "visits", "d1", FAILED, now=NOW)
    assert settled.passed
    assert settled.summary == "amount: outside (approved by a person)"
    assert not settle(tx, "visits", "d2", FAILED, now=NOW).passed
