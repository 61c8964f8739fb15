"""The retrain controller: each rule says no by itself, and nothing is asked twice."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger import audit, incidents, retrains, reviews
from mlops_pipeline.ledger.retrains import RetrainSource
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.monitoring import retraining
from mlops_pipeline.monitoring.retraining import Inputs, Reason, Rule, Ruling
from mlops_pipeline_tests.contract.rows import small
from mlops_pipeline_tests.monitoring.rows import NOON

MODEL = "parcels"
DAY = timedelta(days=1)
DRIFT = Reason("drift", "2024-06", "weight: psi 0.8 > 0.3", value=0.8, limit=0.3)


def contract(**retraining: Any) -> ModelContract:
    return ModelContract.model_validate({**small(), "retraining": retraining})


@pytest.fixture
def tx(tmp_path: Path) -> Any:
    engine: Engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def ask(
    tx: Connection,
    *,
    inputs: str = "a",
    source: RetrainSource = RetrainSource.DRIFT,
    reason: Reason = DRIFT,
    days: float = 0,
    **words: Any,
) -> Ruling:
    return retraining.ask(
        tx,
        contract(**words),
        reason=reason,
        source=source,
        inputs=Inputs(f"rows-{inputs}", f"inputs-{inputs}"),
        now=NOON + days * DAY,
    )


def ended(
    tx: Connection, ruling: Ruling, outcome: str, *, days: float = 0, hours: float = 0
) -> None:
    assert ruling.request is not None
    moment = NOON + days * DAY
    retrains.launch(tx, ruling.request.id, by="drift", now=moment)
    retrains.close(tx, ruling.request.id, outcome=outcome, now=moment + hours * DAY / 24)


def test_a_wish_is_granted_with_its_whole_reason(tx: Connection) -> None:
    ruling = ask(tx)
    assert (ruling.rule, ruling.asked) == (Rule.GRANTED, True)
    assert ruling.text == "request 1: drift: drift 2024-06: weight: psi 0.8 > 0.3"


def test_wishes_of_everybody_coalesce_into_one_request(tx: Connection) -> None:
    first = ask(tx)
    worse = Reason("performance", "2024-06", "roc_auc 0.61 < 0.65")
    second = ask(tx, source=RetrainSource.PERFORMANCE, reason=worse)
    third = ask(tx, source=RetrainSource.PERSON, reason=Reason("person", "", "ann asks"))
    assert first.request is not None
    assert third.request is not None
    assert second.rule is Rule.JOINED
    assert third.request.id == first.request.id
    assert [r["source"] for r in third.request.reasons] == ["drift", "performance", "person"]
    assert "roc_auc 0.61 < 0.65" in third.text


def test_asking_again_for_the_same_reason_changes_nothing(tx: Connection) -> None:
    assert ask(tx).request == ask(tx, days=1).request


def test_data_whose_checks_failed_is_never_trained_on(tx: Connection) -> None:
    _review(tx, "error")
    ruling = ask(tx)
    assert (ruling.rule, ruling.asked) == (Rule.BAD_DATA, False)
    assert "checks of snapshot rows-a failed: ranges" in ruling.text
    assert ask(tx, inputs="b").asked


def test_bad_data_does_not_join_an_open_request(tx: Connection) -> None:
    ask(tx, inputs="b")
    _review(tx, "error")
    assert ask(tx, reason=Reason("performance", "2024-06", "worse")).rule is Rule.BAD_DATA


def test_a_person_may_let_the_data_pass(tx: Connection) -> None:
    number = _review(tx, "error")
    reviews.approve(tx, number, approver="ann", reason="the unit was announced", now=NOON)
    assert ask(tx).asked


def test_a_warning_does_not_stop_training(tx: Connection) -> None:
    _review(tx, "warn")
    assert ask(tx).asked


@pytest.mark.parametrize("outcome", ["promote", "hold", "reject"])
def test_the_same_inputs_are_never_trained_twice(tx: Connection, outcome: str) -> None:
    ended(tx, ask(tx), outcome)
    ruling = ask(tx, days=9)
    assert ruling.rule is Rule.SAME_INPUTS
    assert ruling.text == f"request 1 was trained on the same inputs inputs-a and came to {outcome}"
    assert ask(tx, inputs="b", days=9).asked


def test_inputs_whose_run_broke_may_be_tried_again(tx: Connection) -> None:
    ended(tx, ask(tx), "broken")
    assert ask(tx, days=9).asked


def test_a_model_cools_down_but_not_for_a_person(tx: Connection) -> None:
    ended(tx, ask(tx), "promote")
    ruling = ask(tx, inputs="b", days=0.9)
    assert ruling.rule is Rule.COOLING
    assert "until 2026-03-02 12:00 UTC" in ruling.text
    assert ask(tx, inputs="b", days=0.9, source=RetrainSource.PERSON).asked


@pytest.mark.parametrize(
    ("words", "hours"),
    [({"budget_runs": 2}, 0.1), ({"budget_minutes": 90}, 1)],
)
def test_the_budget_of_a_period_is_kept(
    tx: Connection, words: dict[str, Any], hours: float
) -> None:
    for number in (0, 2):
        ended(tx, ask(tx, inputs=str(number), days=number), "promote", days=number, hours=hours)
    ruling = ask(tx, inputs="c", days=4, **words)
    assert ruling.rule is Rule.BUDGET
    assert "of the last 30 days are used" in ruling.text
    assert ask(tx, inputs="c", days=33, **words).asked


def test_training_without_gain_stops_until_a_person_says_how_it_goes_on(tx: Connection) -> None:
    for number in range(3):
        ended(tx, ask(tx, inputs=str(number), days=2 * number), "hold", days=2 * number)
    ruling = ask(tx, inputs="z", days=9)
    assert ruling.rule is Rule.NO_GAIN
    retraining.refuse(tx, contract(), ruling, DRIFT, now=NOON + 9 * DAY)
    (told,) = incidents.open_incidents(tx, MODEL)
    assert (told.cause, told.severity) == ("retraining_without_gain", "critical")
    assert told.detail["runbook"] == "docs/runbooks/retraining_without_gain.md"
    retraining.resume(tx, MODEL, by="ann", reason="new features", now=NOON + 9 * DAY)
    assert incidents.open_incidents(tx, MODEL) == ()
    assert ask(tx, inputs="z", days=9.5).asked


def test_a_gain_starts_the_count_anew(tx: Connection) -> None:
    for number, outcome in enumerate(["hold", "hold", "promote", "hold"]):
        ended(tx, ask(tx, inputs=str(number), days=2 * number), outcome, days=2 * number)
    assert retraining.without_gain(tx, contract()) == 1


def test_a_refusal_is_on_the_chain(tx: Connection) -> None:
    ended(tx, ask(tx), "promote")
    retraining.refuse(tx, contract(), ask(tx, inputs="b"), DRIFT, now=NOON)
    last = audit.entries(tx, MODEL)[-1]
    assert (last.action, last.detail["rule"]) == ("retrain.declined", "cooling_down")


def test_a_run_that_breaks_again_closes_its_request(tx: Connection) -> None:
    ruling = ask(tx)
    assert ruling.request is not None
    waiting = retraining.broke(tx, contract(), ruling.request.id, error="killed", now=NOON)
    assert (waiting.state, waiting.attempt) == ("open", 2)
    ended_now = retraining.broke(tx, contract(), ruling.request.id, error="killed", now=NOON)
    assert (ended_now.state, ended_now.outcome) == ("closed", "broken")


def _review(tx: Connection, severity: str) -> int:
    return reviews.open_review(
        tx,
        MODEL,
        kind=ReviewKind.DATA,
        subject="rows-a",
        check="ranges",
        severity=severity,
        detail={},
        now=NOON,
    )
