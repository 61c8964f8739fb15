"""From what the retrain controller ruled to a verdict: its run's, an earlier one's, or none yet.

A run that asked carries the ruling in its tags. Where a request carries the wish, the verdict is
that of the run that answers the request, whoever else asked for it.
"""

from collections.abc import Callable
from dataclasses import replace

from mlops_pipeline.ci.answers import Run
from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.story import VERDICTS, Judgement, Outcome, Story
from mlops_pipeline.ci.watch import ENDED, Pace, Report, watch
from mlops_pipeline.errors import DagsterUnreachable
from mlops_pipeline.monitoring import tags

BAD_DATA = "bad_data"  # the one refusal that is the caller's own to mend


def to_verdict(
    client: DagsterClient, run: Run, pace: Pace, *, seen: Callable[[Run, Story], None]
) -> Report:
    """The run has ended, and so has the one that answers its request, if it made one.

    Raises:
        DagsterUnreachable, LaunchRefused: as `watch`.
    """
    started = pace.clock()
    report = watch(client, run, pace, seen=seen)
    rule = report.run.tag(tags.RULE)
    if report.run.status != "SUCCESS" or rule is None:
        return report
    request = report.run.tag(tags.REQUEST)
    if request is None:
        return replace(report, judgement=refused(report.run, rule))
    answering = _answering(client, request, started, pace)
    if answering is None:
        why = (
            f"request {request} waits ({report.run.tag(tags.RULING)}), and no run answered it in "
            f"{pace.limit:g} s; is the sensor that hands out runs on?"
        )
        return replace(report, judgement=Judgement(Outcome.INFRASTRUCTURE, why))
    left = max(0.0, pace.limit - (pace.clock() - started))
    found = watch(client, answering, replace(pace, limit=left), seen=seen)
    why = f"{found.judgement.why} (request {request}: {rule})"
    return replace(found, judgement=replace(found.judgement, why=why))


def refused(run: Run, rule: str) -> Judgement:
    """What a wish that no request carries comes to: nothing was trained."""
    why = f"the retrain controller says {rule}: {run.tag(tags.RULING)}"
    before = run.tag(tags.CAME_TO)
    if before is not None:
        return Judgement(VERDICTS.get(before, Outcome.INCONCLUSIVE), why)
    return Judgement(Outcome.REJECTED if rule == BAD_DATA else Outcome.INCONCLUSIVE, why)


def _answering(client: DagsterClient, request: str, started: float, pace: Pace) -> Run | None:
    """The newest run that answers the request, as soon as there is one; None after the limit."""
    last_answer = pace.clock()
    while True:
        try:
            found = client.runs_tagged(tags.RETRAIN, request)
            last_answer = pace.clock()
        except DagsterUnreachable:
            if pace.clock() - last_answer > pace.patience:
                raise
            found = ()
        going = [run for run in found if run.status not in ENDED]
        if found:
            return (going or list(found))[0]
        if pace.clock() - started > pace.limit:
            return None
        pace.pause(pace.every)
