"""The story of a run, and its verdict as an exit code."""

from typing import Any

import msgspec
import pytest

from mlops_pipeline.ci.answers import Event, Run
from mlops_pipeline.ci.story import Judgement, Outcome, Story, judge, tell
from mlops_pipeline_tests.ci.webserver import checked, evaluated, run, step, step_failed

BLOCKED = ("DagsterAssetCheckFailedError", "1 blocking asset check failed")
CRASHED = ("DagsterExecutionStepExecutionError", "Error occurred")


def story_of(*given: dict[str, Any], job: str = "m__train") -> Story:
    return tell(job, msgspec.convert(given, type=tuple[Event, ...]))


def outcome(status: str, *given: dict[str, Any]) -> Judgement:
    return judge(msgspec.convert(run(status), type=Run), story_of(*given))


@pytest.mark.parametrize(
    ("status", "given", "code", "why"),
    [
        ("SUCCESS", [evaluated("promote")], Outcome.PASS, "the gate says promote"),
        (
            "SUCCESS",
            [evaluated("reject", "roc_auc 0.5 < 0.6")],
            Outcome.REJECTED,
            "the gate says reject: roc_auc 0.5 < 0.6",
        ),
        ("SUCCESS", [evaluated("hold")], Outcome.INCONCLUSIVE, "the gate says hold"),
        ("SUCCESS", [evaluated("error")], Outcome.INFRASTRUCTURE, "the gate says error"),
        (
            "SUCCESS",
            [evaluated("maybe")],
            Outcome.INFRASTRUCTURE,
            "the verdict 'maybe' is none of promote, reject, hold, error",
        ),
        ("SUCCESS", [], Outcome.PASS, "the run succeeded; this job gives no verdict"),
        ("FAILURE", [evaluated("promote")], Outcome.INFRASTRUCTURE, "the run failed"),
        ("FAILURE", [evaluated("reject")], Outcome.REJECTED, "the gate says reject"),
        ("FAILURE", [evaluated("hold")], Outcome.INCONCLUSIVE, "the gate says hold"),
        ("FAILURE", [evaluated("error")], Outcome.INFRASTRUCTURE, "the run failed"),
        (
            "FAILURE",
            [checked("nulls", passed=False), step_failed("m__nulls", *BLOCKED)],
            Outcome.REJECTED,
            "a blocking check failed: m/rows: nulls",
        ),
        (
            "FAILURE",
            [
                checked("nulls", passed=False),
                step_failed("m__nulls", *BLOCKED),
                step_failed("m__rows", *CRASHED, "disk\nfull"),
            ],
            Outcome.INFRASTRUCTURE,
            "the run failed: m__rows: disk full",
        ),
        (
            "FAILURE",
            [checked("nulls", passed=False), step_failed("m__rows", *CRASHED)],
            Outcome.INFRASTRUCTURE,
            "the run failed: m__rows: Error occurred",
        ),
        (
            "FAILURE",
            [{"__typename": "RunFailureEvent", "message": "terminated by signal 9"}],
            Outcome.INFRASTRUCTURE,
            "the run failed: terminated by signal 9",
        ),
        ("CANCELED", [evaluated("promote")], Outcome.INFRASTRUCTURE, "the run ended canceled"),
    ],
)
def test_an_ended_run_has_one_outcome(
    status: str, given: list[dict[str, Any]], code: Outcome, why: str
) -> None:
    assert outcome(status, *given) == Judgement(code, why)


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED", "STARTED", "SOMETHING_NEW"])
@pytest.mark.parametrize("given", [[], [evaluated("promote")]], ids=["no verdict", "promote"])
def test_a_run_that_did_not_succeed_never_passes(status: str, given: list[dict[str, Any]]) -> None:
    assert outcome(status, *given).outcome is not Outcome.PASS


def test_the_newest_evaluation_counts_and_only_the_models_own() -> None:
    first, second, other = evaluated("promote"), evaluated("reject"), evaluated("hold", model="n")

    assert story_of(first, second, other).verdict == "reject"


def test_reasons_may_be_a_table() -> None:
    told = evaluated("reject")
    records = [
        '{"promise": "roc_auc", "finding": "0.5 < 0.6"}',
        '{"promise": "brier", "finding": 1}',
    ]
    told["metadataEntries"].append({"label": "reasons", "table": {"records": records}})

    assert (
        story_of(told).reasons == "promise: roc_auc, finding: 0.5 < 0.6; promise: brier, finding: 1"
    )


def test_an_evaluation_without_a_verdict_takes_the_earlier_one_back() -> None:
    silent = {**evaluated("promote"), "metadataEntries": []}

    assert story_of(evaluated("promote"), silent).verdict is None


def test_steps_are_told_with_their_time() -> None:
    story = story_of(
        step("ExecutionStepStartEvent", "a", 1),
        step("ExecutionStepStartEvent", "b", 2),
        step("ExecutionStepSuccessEvent", "a", 4),
        step("ExecutionStepSkippedEvent", "c", 4),
    )

    assert [(s.key, s.state, s.seconds) for s in story.steps] == [
        ("a", "success", 3.0),
        ("b", "running", 0.0),
        ("c", "skipped", 0.0),
    ]


def test_a_failure_that_a_retry_mended_is_forgotten() -> None:
    story = story_of(
        step("ExecutionStepStartEvent", "a"),
        step_failed("a", *CRASHED),
        step("ExecutionStepRestartEvent", "a", 2),
        step("ExecutionStepSuccessEvent", "a", 3),
    )

    assert story.failures == ()
    assert [s.state for s in story.steps] == ["success"]


def test_a_check_that_was_evaluated_again_is_told_once() -> None:
    story = story_of(checked("nulls", passed=False), checked("nulls", passed=True, said="fine"))

    assert [(check.passed, check.description) for check in story.checks] == [(True, "fine")]
