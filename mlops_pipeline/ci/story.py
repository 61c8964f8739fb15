"""What happened in a run, told from its events, and what that means for the one who waits.

The gate's word is the text `verdict` in the metadata of the run's newest materialisation of the
asset `[model, "evaluation"]`; `reasons` beside it is a text or a table. The model is what stands
before `__` in the job's name. A job that has no such asset is judged by its status alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from mlops_pipeline.ci.answers import Evaluation, Event, Run, StepError

BLOCKED = "DagsterAssetCheckFailedError"  # the step failure that stands for a blocking check
STEP_EVENTS = {
    "ExecutionStepStartEvent": "running",
    "ExecutionStepRestartEvent": "running",
    "ExecutionStepUpForRetryEvent": "waiting to retry",
    "ExecutionStepSuccessEvent": "success",
    "ExecutionStepFailureEvent": "failure",
    "ExecutionStepSkippedEvent": "skipped",
}


class Outcome(IntEnum):
    """The exit code of `mlops ci`."""

    PASS = 0
    REJECTED = 1
    INCONCLUSIVE = 2
    INFRASTRUCTURE = 3
    USAGE = 4


VERDICTS = {
    "promote": Outcome.PASS,
    "reject": Outcome.REJECTED,
    "hold": Outcome.INCONCLUSIVE,
    "error": Outcome.INFRASTRUCTURE,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the run; `seconds` runs from its first start to its newest event."""

    key: str
    state: str
    started: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One asset check that was evaluated."""

    asset: str
    name: str
    passed: bool
    severity: str
    description: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed, and whether a blocking check is all that failed it."""

    step: str
    blocked: bool
    message: str


@dataclass(frozen=True, slots=True)
class Story:
    """The run so far."""

    steps: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    failures: tuple[Failure, ...] = ()
    verdict: str | None = None
    reasons: str = ""
    end: str = ""  # the message of the run's failure, where there is one


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome, and the sentence that explains it."""

    outcome: Outcome
    why: str


def tell(job: str, events: Iterable[Event]) -> Story:
    """The story of a run of `job`, from all its events in their order."""
    evaluation = (job.partition("__")[0], "evaluation")
    steps: dict[str, Step] = {}
    checks: dict[tuple[str, str], Check] = {}
    failures: dict[str, Failure] = {}
    story = Story()
    for event in events:
        if event.step_key and event.kind in STEP_EVENTS:
            steps[event.step_key] = _step(event.step_key, event, steps.get(event.step_key))
            failures.pop(event.step_key, None)  # a second attempt wipes out the first
        if event.step_key and event.error:
            failures[event.step_key] = _failure(event.step_key, event.error)
        if event.evaluation:
            check = _check(event.evaluation)
            checks[check.asset, check.name] = check
        if event.asset_key and event.asset_key.path == evaluation:
            said = {entry.label: entry.words() for entry in event.metadata_entries}
            story = replace(story, verdict=said.get("verdict"), reasons=said.get("reasons", ""))
        if event.kind in ("RunFailureEvent", "RunCanceledEvent"):
            story = replace(story, end=event.message)
    return replace(
        story,
        steps=tuple(steps.values()),
        checks=tuple(checks.values()),
        failures=tuple(failures.values()),
    )


def judge(run: Run, story: Story) -> Judgement:
    """What a run that has ended says. A run that did not succeed never passes."""
    word = story.verdict
    if word is not None and word not in VERDICTS:
        known = ", ".join(VERDICTS)
        return Judgement(Outcome.INFRASTRUCTURE, f"the verdict {word!r} is none of {known}")
    if run.status == "SUCCESS":
        if word is None:
            return Judgement(Outcome.PASS, "the run succeeded; this job gives no verdict")
        return Judgement(VERDICTS[word], _because(f"the gate says {word}", story.reasons))
    if run.status != "FAILURE":
        return Judgement(
            Outcome.INFRASTRUCTURE, _because(f"the run ended {run.status.lower()}", story.end)
        )
    if word in ("reject", "hold"):
        return Judgement(VERDICTS[word], _because(f"the gate says {word}", story.reasons))
    if story.failures and all(failure.blocked for failure in story.failures):
        failed = [c for c in story.checks if not c.passed and c.severity == "ERROR"]
        names = ", ".join(f"{c.asset}: {c.name}" for c in failed)
        return Judgement(Outcome.REJECTED, _because("a blocking check failed", names))
    what = "; ".join(f"{f.step}: {f.message}" for f in story.failures if not f.blocked)
    return Judgement(Outcome.INFRASTRUCTURE, _because("the run failed", what or story.end))


def _because(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _step(key: str, event: Event, known: Step | None) -> Step:
    at = float(event.timestamp) / 1000
    started = known.started if known else at
    return Step(key, STEP_EVENTS[event.kind], started, round(at - started, 3))


def _failure(step: str, error: StepError) -> Failure:
    deepest = error.cause or error
    message = " ".join(deepest.message.split())[:300]
    return Failure(step=step, blocked=error.class_name == BLOCKED, message=message)


def _check(found: Evaluation) -> Check:
    return Check(
        asset="/".join(found.asset_key.path),
        name=found.check_name,
        passed=found.success,
        severity=found.severity,
        description=found.description or "",
    )
