"""A wish comes to a verdict: of the run that answers it, of an earlier one, or none yet."""

from typing import Any

import pytest

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.controller import to_verdict
from mlops_pipeline.ci.story import Outcome
from mlops_pipeline.ci.watch import Pace, Report
from mlops_pipeline_tests.ci.webserver import (
    Webserver,
    current,
    evaluated,
    events,
    run,
    runs,
    serve,
)


def ruled(rule: str, **more: str) -> dict[str, Any]:
    """The run that asked, after it ended."""
    named = {"mlops__rule": rule, "mlops__ruling": "because", **more}
    return current(run("SUCCESS", "asked", "m__ask", **named))


def heard(answers: dict[str, list[Any]], limit: float = 60.0) -> tuple[Report, Webserver]:
    """What comes of it; each look takes a second of a clock that nobody waits for."""
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(limit=limit, clock=lambda: now[0], pause=pause)
    asked = {"Events": [events()], **answers}
    with serve(asked) as fake, DagsterClient(fake.url) as client:
        return to_verdict(client, client.run("asked"), pace, seen=lambda *_: None), fake


@pytest.mark.parametrize("rule", ["granted", "joined"])
def test_the_verdict_is_that_of_the_run_that_answers_the_request(rule: str) -> None:
    asked = ruled(rule, mlops__request="7")
    answer = run("SUCCESS", "trained", mlops__retrain="7")
    report, fake = heard(
        {
            "Run": [asked, asked, current(answer)],
            "Runs": [runs(), runs(answer)],
            "Events": [events(), events(evaluated("reject", "no gain"))],
        }
    )
    assert (report.run.run_id, report.judgement.outcome) == ("trained", Outcome.REJECTED)
    assert report.judgement.why == f"the gate says reject: no gain (request 7: {rule})"
    assert fake.variables("Runs")["filter"] == {"tags": [{"key": "mlops/retrain", "value": "7"}]}


@pytest.mark.parametrize(
    ("rule", "before", "outcome"),
    [
        ("cooling_down", None, Outcome.INCONCLUSIVE),
        ("budget", None, Outcome.INCONCLUSIVE),
        ("no_gain", None, Outcome.INCONCLUSIVE),
        ("bad_data", None, Outcome.REJECTED),
        ("same_inputs", "promote", Outcome.PASS),
        ("same_inputs", "reject", Outcome.REJECTED),
        ("same_inputs", "hold", Outcome.INCONCLUSIVE),
    ],
)
def test_a_refusal_is_a_verdict_too_and_nothing_is_trained(
    rule: str, before: str | None, outcome: Outcome
) -> None:
    more = {} if before is None else {"mlops__came_to": before}
    report, fake = heard({"Run": [ruled(rule, **more)]})
    assert report.judgement.outcome is outcome
    assert report.judgement.why == f"the retrain controller says {rule}: because"
    assert "Runs" not in fake.names()


def test_a_request_that_nobody_hands_out_is_infrastructure() -> None:
    report, _ = heard({"Run": [ruled("granted", mlops__request="7")], "Runs": [runs()]}, limit=3)
    assert report.judgement.outcome is Outcome.INFRASTRUCTURE
    assert "request 7 waits (because), and no run answered it in 3 s" in report.judgement.why


def test_the_attempt_that_goes_on_is_followed_not_the_one_that_broke() -> None:
    broken, going = run("FAILURE", "first"), run("STARTED", "second")
    ended = run("SUCCESS", "second")
    asked = ruled("joined", mlops__request="7")
    report, _ = heard(
        {"Run": [asked, asked, current(ended)], "Runs": [runs(broken, going)]},
    )
    assert report.run.run_id == "second"


def test_a_run_that_asked_nobody_is_judged_as_ever() -> None:
    report, _ = heard({"Run": [current(run("SUCCESS", "asked"))]})
    assert report.judgement.why == "the run succeeded; this job gives no verdict"


def test_asking_that_failed_is_infrastructure() -> None:
    failed = current(run("FAILURE", "asked", "m__ask", mlops__rule="granted"))
    report, _ = heard({"Run": [failed]})
    assert report.judgement.outcome is Outcome.INFRASTRUCTURE
