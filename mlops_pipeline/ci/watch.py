"""Waiting for a run: ask again until it has ended, and let a restart of the webserver pass."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mlops_pipeline.ci.answers import Event, Run
from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.story import Judgement, Outcome, Story, judge, tell
from mlops_pipeline.errors import DagsterUnreachable

ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How to wait, in seconds; the clock and the pause are given so that a test need not wait."""

    limit: float  # for the whole wait
    patience: float = 60.0  # for a webserver that does not answer
    every: float = 1.0
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run."""

    run: Run
    story: Story
    judgement: Judgement


def watch(
    client: DagsterClient, run: Run, pace: Pace, *, seen: Callable[[Run, Story], None]
) -> Report:
    """The run has ended, or the limit has passed; `seen` is called at every look.

    Raises:
        DagsterUnreachable: the webserver did not answer for `pace.patience` seconds.
        LaunchRefused: the run was deleted.
    """
    started = last_answer = pace.clock()
    events: tuple[Event, ...] = ()
    cursor: str | None = None
    story = Story()
    while True:
        try:
            run = client.run(run.run_id)  # before the events: an ended run has all of them
            new, cursor = client.events(run.run_id, cursor)
        except DagsterUnreachable:
            if pace.clock() - last_answer > pace.patience:
                raise
        else:
            last_answer = pace.clock()
            events += new
            story = tell(run.job_name, events)
            seen(run, story)
            if run.status in ENDED:
                return Report(run, story, judge(run, story))
        if pace.clock() - started > pace.limit:
            return Report(run, story, _too_long(run, pace.limit))
        pace.pause(pace.every)


def _too_long(run: Run, limit: float) -> Judgement:
    why = f"the run is still {run.status.lower()} after {limit:g} s"
    if run.status in ("QUEUED", "NOT_STARTED"):
        why += "; is dagster-daemon running?"
    return Judgement(Outcome.INFRASTRUCTURE, why)
