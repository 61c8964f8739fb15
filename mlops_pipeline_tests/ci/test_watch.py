"""Waiting: until the run has ended, the limit has passed, or the webserver is gone for too long."""

from itertools import count
from typing import Any

import pytest

from mlops_pipeline.ci.answers import Run
from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.story import Outcome, Story
from mlops_pipeline.ci.watch import Pace, Report, watch
from mlops_pipeline.errors import DagsterUnreachable, LaunchRefused
from mlops_pipeline_tests.ci.webserver import (
    Webserver,
    current,
    evaluated,
    events,
    run,
    serve,
    step,
)

DOWN = (503, b"")


def follow(
    answers: dict[str, list[Any]], *, limit: float = 100.0, patience: float = 10.0
) -> tuple[Report, list[tuple[str, int]], Webserver]:
    """Watch with a clock that moves one second at each look at it."""
    seen: list[tuple[str, int]] = []

    def see(now: Run, story: Story) -> None:
        seen.append((now.status, len(story.steps)))

    clock = count()
    pace = Pace(limit, patience, clock=lambda: float(next(clock)), pause=lambda seconds: None)
    with serve(answers) as fake, DagsterClient(fake.url) as client:
        return watch(client, Run("r1", "m__train", "QUEUED"), pace, seen=see), seen, fake


def test_a_run_is_followed_to_its_verdict() -> None:
    started = step("ExecutionStepStartEvent", "m__evaluation")
    report, seen, fake = follow(
        {
            "Run": [current(run("QUEUED")), current(run("STARTED")), current(run("SUCCESS"))],
            "Events": [
                events(),
                events(started, cursor="c2"),
                events(evaluated("hold"), cursor="c3"),
            ],
        }
    )

    assert report.judgement.outcome is Outcome.INCONCLUSIVE
    assert seen == [("QUEUED", 0), ("STARTED", 1), ("SUCCESS", 1)]
    cursors = [given["cursor"] for name, given in fake.asked if name == "Events"]
    assert cursors == [None, "c1", "c2"]


def test_a_webserver_that_comes_back_is_forgiven() -> None:
    ended = current(run("SUCCESS"))
    report, seen, _ = follow({"Run": [DOWN, ended], "Events": [DOWN, events()]})

    assert report.judgement.outcome is Outcome.PASS
    assert seen == [("SUCCESS", 0)]


def test_a_webserver_that_stays_away_is_an_error() -> None:
    with pytest.raises(DagsterUnreachable, match="answered 503"):
        follow({"Run": [DOWN]}, patience=3)


def test_a_run_that_takes_too_long_is_infrastructure() -> None:
    report, _, _ = follow({"Run": [current(run("STARTED"))], "Events": [events()]}, limit=5)

    assert report.judgement.outcome is Outcome.INFRASTRUCTURE
    assert report.judgement.why == "the run is still started after 5 s"


def test_a_run_that_nobody_takes_up_points_at_the_daemon() -> None:
    report, _, _ = follow({"Run": [current(run("QUEUED"))], "Events": [events()]}, limit=5)

    assert report.judgement.why.endswith("still queued after 5 s; is dagster-daemon running?")


def test_a_run_that_was_deleted_is_refused() -> None:
    gone = {"runOrError": {"__typename": "RunNotFoundError", "message": "Run r1 not found"}}

    with pytest.raises(LaunchRefused, match="Run r1 not found"):
        follow({"Run": [gone]})
