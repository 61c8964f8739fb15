"""A person is asked once, and answers with a name and a reason."""

import pytest
from sqlalchemy import Connection

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, reviews
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline_tests.ledger.rows import LATER, MODEL, NOON


def _ask(tx: Connection, subject: str = "snapshot") -> int:
    return reviews.open_review(
        tx,
        MODEL,
        kind=ReviewKind.DATA,
        subject=subject,
        check="ranges",
        severity="warn",
        detail={"value": 1048, "limit": 120},
        now=NOON,
    )


def test_the_same_question_is_asked_once(tx: Connection) -> None:
    assert _ask(tx) == _ask(tx)
    (item,) = reviews.open_items(tx, MODEL)
    assert item.detail == {"value": 1048, "limit": 120}


def test_an_approval_holds_for_this_subject_and_check_only(tx: Connection) -> None:
    reviews.approve(tx, _ask(tx), approver="anna@example.org", reason="known", now=LATER)
    assert reviews.is_approved(tx, MODEL, "snapshot", "ranges")
    assert not reviews.is_approved(tx, MODEL, "snapshot", "nulls")
    assert not reviews.is_approved(tx, MODEL, "another", "ranges")
    assert reviews.open_items(tx) == ()


def test_an_approval_is_on_the_chain_under_the_persons_name(tx: Connection) -> None:
    number = _ask(tx)
    for _ in range(2):
        row = reviews.approve(tx, number, approver="anna", reason="known", now=LATER)
    assert (row.approver, row.reason, row.approved) == ("anna", "known", LATER)
    approvals = [e for e in audit.entries(tx) if e.action == "review.approved"]
    assert [entry.actor for entry in approvals] == ["anna"]


@pytest.mark.parametrize(("approver", "reason"), [(" ", "known"), ("anna", "")])
def test_an_approval_without_name_or_reason_is_refused(
    tx: Connection, approver: str, reason: str
) -> None:
    number = _ask(tx)
    with pytest.raises(LedgerError, match="needs a name and a reason"):
        reviews.approve(tx, number, approver=approver, reason=reason, now=LATER)


def test_open_items_can_be_asked_of_one_model(tx: Connection) -> None:
    _ask(tx)
    assert reviews.open_items(tx, "another") == ()


def test_an_unknown_review_is_an_error(tx: Connection) -> None:
    with pytest.raises(LedgerError, match="no review has the number 5"):
        reviews.get(tx, 5)


def test_a_dismissed_candidate_waits_no_longer_and_has_not_passed(tx: Connection) -> None:
    number = reviews.open_review(
        tx, MODEL, kind=ReviewKind.CANDIDATE, subject="b", check="gate", severity="error",
        detail={"run": "r"}, now=NOON,
    )  # fmt: skip
    row = reviews.dismiss(tx, number, by="ana", reason="another came", now=NOON)
    assert (row.dismissed, row.approver, row.detail["run"]) == (True, "ana", "r")
    assert reviews.open_items(tx) == ()
    assert not reviews.is_approved(tx, MODEL, "b", "gate")
    assert reviews.approve(tx, number, approver="bo", reason="no", now=NOON) == row
    assert audit.entries(tx, f"{MODEL}/review/{number}")[-1].action == "review.dismissed"


def test_a_question_about_data_cannot_be_dismissed(tx: Connection) -> None:
    number = reviews.open_review(
        tx, MODEL, kind=ReviewKind.DATA, subject="s", check="ranges", severity="error", detail={},
        now=NOON,
    )  # fmt: skip
    with pytest.raises(LedgerError, match="is about ranges: it can only be answered"):
        reviews.dismiss(tx, number, by="ana", reason="no", now=NOON)
