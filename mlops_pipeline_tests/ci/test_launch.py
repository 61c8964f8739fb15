"""Launching: what is wrong is found before the launch, and one key gives one run."""

import json
from typing import Any

import pytest

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.ci.launch import KEY_TAG, LAUNCH_TAG, Launch, LaunchRequest, launch
from mlops_pipeline.errors import CiError, LaunchRefused
from mlops_pipeline_tests.ci.webserver import (
    VALID,
    Webserver,
    jobs,
    launched,
    partitions,
    run,
    runs,
    serve,
)

GOOD: dict[str, list[Any]] = {
    "Jobs": [jobs("__ASSET_JOB", "m__train", "m__ingest")],
    "Partitions": [partitions()],
    "Config": [VALID],
    "Launch": [launched(run("QUEUED"))],
}
MONTHS = {**GOOD, "Partitions": [partitions("2013-01-01", "2013-02-01", "2013-03-01")]}
CANCELLED = {"terminateRun": {"__typename": "TerminateRunSuccess", "run": {"runId": "r2"}}}


def ask(answers: dict[str, list[Any]], **request: Any) -> tuple[Launch, Webserver]:
    with serve(answers) as fake, DagsterClient(fake.url) as client:
        return launch(client, LaunchRequest(**{"job": "m__train", **request})), fake


def tags_sent(fake: Webserver) -> dict[str, str]:
    given = fake.variables("Launch")["params"]["executionMetadata"]["tags"]
    return {tag["key"]: tag["value"] for tag in given}


def refuse(answers: dict[str, list[Any]], match: str, **request: Any) -> None:
    """The request is refused with this message, and nothing is launched."""
    with serve(answers) as fake, DagsterClient(fake.url) as client:
        with pytest.raises(LaunchRefused, match=match):
            launch(client, LaunchRequest(**{"job": "m__train", **request}))
        assert "Launch" not in fake.names()


def test_a_good_request_is_launched_with_its_config_and_tags() -> None:
    config = {"ops": {"m__evaluation": {"config": {"seed": 7}}}}

    done, fake = ask(GOOD, config=config, tags={"commit": "abc"})

    assert (done.run.run_id, done.found) == ("r1", False)
    params = fake.variables("Launch")["params"]
    assert params["runConfigData"] == config
    assert params["selector"] == {
        "jobName": "m__train",
        "repositoryName": "__repository__",
        "repositoryLocationName": "here",
    }
    assert tags_sent(fake)["commit"] == "abc"
    assert set(tags_sent(fake)) == {"commit", LAUNCH_TAG}


def test_an_unknown_job_is_refused_with_the_nearest_name() -> None:
    refuse(
        GOOD,
        r"no job is named 'm__trian' \(did you mean 'm__train'\?\); jobs: m__ingest, m__train$",
        job="m__trian",
    )


def test_an_unknown_location_is_refused() -> None:
    refuse(GOOD, "no code location is named 'there'; locations: here", location="there")


def test_a_job_in_two_locations_needs_the_location() -> None:
    both = jobs("m__train")
    both["workspaceOrError"]["locationEntries"] += jobs("m__train", location="there")[
        "workspaceOrError"
    ]["locationEntries"]
    answers = {**GOOD, "Jobs": [both]}

    refuse(answers, "'m__train' is in several locations: here, there; say --location")
    _, fake = ask(answers, location="there")

    selector = fake.variables("Launch")["params"]["selector"]
    assert selector["repositoryLocationName"] == "there"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {
                "name": "here",
                "loadStatus": "LOADED",
                "locationOrLoadError": {"__typename": "PythonError", "message": "no module\n"},
            },
            "code location 'here' did not load: no module$",
        ),
        (
            {"name": "here", "loadStatus": "LOADING", "locationOrLoadError": None},
            "code location 'here' did not load: it is LOADING",
        ),
    ],
)
def test_a_job_that_may_be_in_a_broken_location_is_not_the_users_fault(
    entry: dict[str, Any], said: str
) -> None:
    workspace = {"workspaceOrError": {"__typename": "Workspace", "locationEntries": [entry]}}

    with pytest.raises(CiError, match=said) as caught:
        ask({**GOOD, "Jobs": [workspace]})
    assert not isinstance(caught.value, LaunchRefused)


def test_a_partitioned_job_needs_a_partition() -> None:
    refuse(MONTHS, "'m__train' is partitioned: say --partition, 2013-01-01 to 2013-03-01")


def test_a_partition_that_is_not_there_is_refused_with_the_nearest() -> None:
    refuse(
        MONTHS,
        r"has no partition '2013-02' \(did you mean '2013-02-01'\?\); it has 3, 2013-01-01 to",
        partition="2013-02",
    )


def test_a_job_without_partitions_takes_none() -> None:
    refuse(GOOD, "'m__train' has no partitions: leave '2013-01-01' out", partition="2013-01-01")


def test_both_ends_of_a_range_must_be_there() -> None:
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

    refuse(MONTHS, "no partition '2013-09-01'", tags={start: "2013-01-01", end: "2013-09-01"})
    done, _ = ask(MONTHS, tags={start: "2013-01-01", end: "2013-03-01"})

    assert not done.found


def test_a_partition_becomes_the_tag_that_dagster_reads() -> None:
    _, fake = ask(MONTHS, partition="2013-02-01")

    assert tags_sent(fake)["dagster/partition"] == "2013-02-01"


def test_a_wrong_config_is_refused() -> None:
    invalid = {
        "isPipelineConfigValid": {
            "__typename": "RunConfigValidationInvalid",
            "errors": [{"message": 'Received unexpected config entry "opz"'}],
        }
    }

    refuse({**GOOD, "Config": [invalid]}, 'unexpected config entry "opz"', config={"opz": 1})


def test_a_key_that_has_a_run_launches_nothing() -> None:
    earlier = run("SUCCESS", "r0", mlops__ci_key="k")

    done, fake = ask({**GOOD, "Runs": [runs(earlier)]}, key="k")

    assert (done.run.run_id, done.found) == ("r0", True)
    assert "Launch" not in fake.names()
    assert fake.variables("Runs") == {"filter": {"tags": [{"key": KEY_TAG, "value": "k"}]}}


def test_a_new_key_launches_a_run_that_carries_it() -> None:
    done, fake = ask({**GOOD, "Runs": [runs(), runs(run("QUEUED", "r1"))]}, key="k")

    assert (done.run.run_id, done.found) == ("r1", False)
    assert tags_sent(fake)[KEY_TAG] == "k"


def test_a_key_whose_run_was_executed_again_gives_the_newest_of_them() -> None:
    again = run("SUCCESS", "r9", root="r0")
    stranger = run("FAILURE", "r5")

    done, _ = ask({**GOOD, "Runs": [runs(again, stranger, run("FAILURE", "r0"))]}, key="k")

    assert done.run.run_id == "r9"


def test_of_two_launches_at_once_the_later_one_ends_itself() -> None:
    both = runs(run("QUEUED", "r2"), run("QUEUED", "r1"))
    answers = {
        **GOOD,
        "Runs": [runs(), both],
        "Launch": [launched(run("QUEUED", "r2"))],
        "Cancel": [CANCELLED],
    }

    done, fake = ask(answers, key="k")

    assert (done.run.run_id, done.found) == ("r1", True)
    assert fake.variables("Cancel") == {"id": "r2"}


@pytest.mark.parametrize(
    "other",
    [run("SUCCESS", "r0", job="m__ingest"), run("SUCCESS", "r0", dagster__partition="2013-01-01")],
    ids=["another job", "another partition"],
)
def test_a_key_of_other_work_is_refused(other: dict[str, Any]) -> None:
    answers = {**GOOD, "Runs": [runs(other)]}

    refuse(answers, "the key 'k' belongs to run r0 of .*: take another key", key="k")


def test_a_launch_whose_answer_was_lost_finds_its_run() -> None:
    answers = {**GOOD, "Launch": [(504, b"")], "Runs": [runs(run("QUEUED", "r7"))]}

    done, fake = ask(answers)

    assert (done.run.run_id, done.found) == ("r7", False)
    asked = fake.variables("Runs")["filter"]["tags"]
    assert asked == [{"key": LAUNCH_TAG, "value": tags_sent(fake)[LAUNCH_TAG]}]


@pytest.mark.parametrize("lookup", [runs(), (503, b"")], ids=["no run", "no answer again"])
def test_a_launch_that_may_have_happened_says_how_to_look(lookup: Any) -> None:
    answers = {**GOOD, "Launch": [(504, b"")], "Runs": [lookup]}

    with pytest.raises(CiError, match=f"before you try again look for a run tagged {LAUNCH_TAG}="):
        ask(answers)


ASKED = {**GOOD, "Partitions": [partitions(mlops__asked_by="m__ask")]}


def test_a_training_is_asked_for_and_the_wish_carries_its_config() -> None:
    config = {"ops": {"m__snapshot": {"config": {"as_of": "2013-07-01"}}}}

    _, fake = ask(ASKED, config=config, tags={"commit": "abc"})

    params = fake.variables("Launch")["params"]
    assert params["selector"]["jobName"] == "m__ask"
    assert params["runConfigData"] == {}
    assert json.loads(tags_sent(fake)["mlops/run_config"]) == config
    assert tags_sent(fake)["commit"] == "abc"
    assert fake.variables("Config")["config"] == config  # checked against the training itself


def test_past_the_controller_the_training_itself_is_launched_and_says_why() -> None:
    _, fake = ask(ASKED, past_controller="ann: the holidays")

    assert fake.variables("Launch")["params"]["selector"]["jobName"] == "m__train"
    assert tags_sent(fake)["mlops/past_controller"] == "ann: the holidays"


def test_where_no_controller_is_asked_there_is_nothing_to_override() -> None:
    refuse(GOOD, "'m__train' asks no controller", past_controller="ann")
