"""The next attempt after a failed candidate: the same rows, other parameters, a link back."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.remediation import next_attempt, read_changes, remediation
from mlops_pipeline.cli.review import review
from mlops_pipeline.errors import LaunchRefused
from mlops_pipeline.ledger import reviews
from mlops_pipeline.ledger.reviews import ReviewKind, ReviewRow
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.settings import read_settings

DETAIL: dict[str, Any] = {
    "candidate": "lightgbm",
    "as_of": "2013-07-01",
    "summary": "lightgbm: reject: hour = [6, 12) lost",
    "failing": ["hour = [6, 12): proven to lose more than 0.03"],
    "slices": [
        {"slice": "hour = [6, 12)", "rows": 900, "positives": 90, "gain": -0.05, "vetoed": True}
    ],
    "differences": [{"what": "parameter num_leaves", "before": "31", "after": "63"}],
    "actions": ["go back to the champion's parameters: num_leaves=31"],
    "report": "f" * 64,
    "run": "run-1",
}


@pytest.fixture
def item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReviewRow:
    """A failed candidate in the ledger of a home of its own."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    with transaction(open_ledger(read_settings().ledger_url)) as tx:
        number = reviews.open_review(
            tx,
            "flight_delay",
            kind=ReviewKind.CANDIDATE,
            subject="b" * 64,
            check="gate",
            severity="error",
            detail=DETAIL,
            now=datetime(2024, 3, 1, tzinfo=UTC),
        )
        return reviews.get(tx, number)


def test_what_failed_is_shown_with_what_to_try(item: ReviewRow) -> None:
    said = CliRunner().invoke(remediation, ["show", str(item.id)]).output
    assert "hour = [6, 12): gain -0.0500 on 900 rows, vetoes" in said
    assert "parameter num_leaves: 31 -> 63" in said
    assert "try next:\n  go back to the champion's parameters: num_leaves=31" in said
    assert "/runs/run-1" in said
    listed = CliRunner().invoke(remediation, ["list", "--json"]).output
    assert [i["id"] for i in json.loads(listed)["items"]] == [item.id]


def test_the_next_attempt_asks_the_same_rows_with_other_parameters(item: ReviewRow) -> None:
    request = next_attempt(read_settings(), item, read_changes(("trainer.params.num_leaves=63",)))
    assert request.job == "flight_delay__train"
    assert request.config == {
        "ops": {
            "flight_delay__snapshot": {"config": {"as_of": "2013-07-01"}},
            "flight_delay__candidate_lightgbm": {"config": {"params": {"num_leaves": 63}}},
        }
    }
    assert request.tags["mlops/review"] == str(item.id)


def test_a_parameter_that_the_trainer_does_not_know_launches_nothing(item: ReviewRow) -> None:
    with pytest.raises(LaunchRefused, match="--set: lightgbm: parameter leafs=63: unknown"):
        next_attempt(read_settings(), item, {"leafs": 63})


@pytest.mark.parametrize(
    "pair", ["num_leaves=63", "trainer.params.num_leaves", "trainer.params.a.b=1"]
)
def test_a_change_that_is_no_parameter_is_refused(pair: str) -> None:
    with pytest.raises(LaunchRefused, match=r"say trainer\.params\.num_leaves=63"):
        read_changes((pair,))


def test_values_are_read_as_in_a_contract() -> None:
    found = read_changes(("trainer.params.hidden=[64, 32]", "trainer.params.learning_rate=0.1"))
    assert found == {"hidden": [64, 32], "learning_rate": 0.1}


def test_an_item_is_closed_by_a_person_with_a_reason_and_its_candidate_does_not_pass(
    item: ReviewRow,
) -> None:
    words = ["close", str(item.id), "--reason", "the month is spoilt", "--by", "ana"]
    said = CliRunner().invoke(remediation, words)
    assert said.output == (
        f"ana closed {item.id}: the month is spoilt; its candidate does not pass\n"
    )
    with transaction(open_ledger(read_settings().ledger_url)) as tx:
        assert reviews.open_items(tx) == ()
        assert reviews.get(tx, item.id).dismissed
        assert not reviews.is_approved(tx, item.model, item.subject, "gate")
    again = CliRunner().invoke(remediation, ["close", str(item.id), "--reason", " ", "--by", "bo"])
    assert (again.exit_code, "closing it needs a name and a reason" in again.output) == (3, True)


def test_the_next_attempt_may_be_asked_for_under_both_names(
    item: ReviewRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_URL", "http://127.0.0.1:9")
    for group in (remediation, review):
        words = ["rerun", str(item.id), "--set", "trainer.params.num_leaves=63"]
        failed = CliRunner().invoke(group, words)
        assert (failed.exit_code, "http://127.0.0.1:9" in failed.output) == (3, True)
