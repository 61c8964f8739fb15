"""Verdicts stay bound to the report they rest on."""

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, verdicts
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON


def _record(tx: Connection, verdict: str, report: str) -> int:
    return verdicts.record(
        tx,
        MODEL,
        candidate_digest="candidate",
        verdict=verdict,
        report_digest=report,
        reasons=[{"metric": "roc_auc", "outcome": "met"}],
        run_id="run",
        now=NOON if report == "report-1" else LATER,
    )


def test_the_newest_verdict_counts(tx: Connection) -> None:
    _record(tx, "hold", "report-1")
    number = _record(tx, "promote", "report-2")
    newest = verdicts.latest(tx, MODEL, "candidate")
    assert newest == verdicts.get(tx, number)
    assert newest is not None
    assert (newest.verdict, newest.reasons) == (
        "promote",
        [{"metric": "roc_auc", "outcome": "met"}],
    )


def test_the_same_verdict_said_twice_is_one(tx: Connection) -> None:
    assert _record(tx, "hold", "report-1") == _record(tx, "hold", "report-1")
    assert len(audit.entries(tx)) == 1


def test_no_gate_no_verdict(tx: Connection) -> None:
    assert verdicts.latest(tx, MODEL, "candidate") is None
    with pytest.raises(LedgerError, match="no verdict has the number 4"):
        verdicts.get(tx, 4)
