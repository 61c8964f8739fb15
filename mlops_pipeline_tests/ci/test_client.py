"""The GraphQL client: every kind of answer becomes a value or an error that says what to do."""

import json
import socket
from typing import Any

import pytest

from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.errors import CiError, DagsterUnreachable, LaunchRefused
from mlops_pipeline_tests.ci.webserver import (
    HANG,
    VALID,
    current,
    events,
    jobs,
    launched,
    partitions,
    run,
    runs,
    serve,
    step,
)

JOB = {"pipelineName": "m__train"}


def launch_once(answer: Any) -> None:
    with serve({"Launch": [answer]}) as fake, DagsterClient(fake.url) as client:
        client.launch({})


def refusal(kind: str, **said: Any) -> dict[str, Any]:
    return {"launchRun": {"__typename": kind, **said}}


def test_good_answers_become_records() -> None:
    answers = {
        "Jobs": [jobs("m__train")],
        "Partitions": [partitions("2013-01", "2013-02")],
        "Config": [VALID],
        "Launch": [launched(run("QUEUED", mlops__ci_key="k"))],
        "Run": [current(run("STARTED"))],
        "Runs": [runs(run("SUCCESS", "r2"), run("FAILURE", "r1"))],
        "Cancel": [{"terminateRun": {"__typename": "TerminateRunSuccess", "run": {"runId": "r1"}}}],
    }
    with serve(answers) as fake, DagsterClient(f"{fake.url}/") as client:
        assert [entry.name for entry in client.locations()] == ["here"]
        assert client.job(JOB).partition_keys == ("2013-01", "2013-02")
        client.check_config(JOB, {})
        assert client.launch({}).tag("mlops/ci_key") == "k"
        assert client.run("r1").status == "STARTED"
        assert [found.run_id for found in client.runs_tagged("a", "b")] == ["r2", "r1"]
        client.cancel("r1")
        assert client.run_page("r1") == f"{fake.url}/runs/r1"
    assert fake.variables("Runs") == {"filter": {"tags": [{"key": "a", "value": "b"}]}}


def test_events_are_read_page_by_page() -> None:
    one, two = step("ExecutionStepStartEvent", "a"), step("ExecutionStepSuccessEvent", "a")
    pages = [events(one, cursor="c1", more=True), events(two, cursor="c2")]
    with serve({"Events": pages}) as fake, DagsterClient(fake.url) as client:
        found, cursor = client.events("r1", None)

    assert [event.kind for event in found] == [one["__typename"], two["__typename"]]
    assert cursor == "c2"
    assert [given["cursor"] for _, given in fake.asked] == [None, "c1"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal("PipelineNotFoundError", message="Could not find Pipeline x"), "Could not find"),
        (refusal("InvalidSubsetError", message="no such asset"), "no such asset"),
        (refusal("PresetNotFoundError", message="no preset"), "no preset"),
        (refusal("ConflictingExecutionParamsError", message="both"), "both"),
        (refusal("NoModeProvidedError", message="no mode"), "no mode"),
        (refusal("InvalidStepError", invalidStepKey="stap"), "stap"),
        (refusal("InvalidOutputError"), "InvalidOutputError"),
        (
            refusal("RunConfigValidationInvalid", errors=[{"message": "a"}, {"message": "b"}]),
            "a; b",
        ),
        (
            refusal("RunConfigValidationInvalid", errors=[{"message": "bad. Expected: {a: b}"}]),
            "Dagster refuses: bad\\.$",
        ),
    ],
)
def test_an_answer_that_blames_the_request_is_refused(answer: Any, said: str) -> None:
    with pytest.raises(LaunchRefused, match=said):
        launch_once(answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal("PythonError", message="boom"), "Dagster failed with PythonError: boom"),
        (refusal("UnauthorizedError", message="not you"), "UnauthorizedError: not you"),
        (refusal("RunConflict", message="there already"), "RunConflict: there already"),
        (refusal("SomeNewError"), "SomeNewError: no message"),
        (refusal("LaunchRunSuccess", run={"runId": 7}), "in another shape than Dagster 1.13"),
        (refusal("LaunchRunSuccess"), "missing required field `run`"),
        (
            (500, json.dumps({"data": refusal("PythonError", message="KeyError")}).encode()),
            "PythonError: KeyError",
        ),
        ((400, b'{"errors": [{"message": "Cannot query field"}]}'), "answered 400: Cannot query"),
        ((200, b'{"data": null, "errors": [{"message": "deep"}]}'), "answered 200: deep"),
        ((200, b"{}"), "answered 200: {}"),
        ((200, b"{not json"), "without GraphQL: '{not json'"),
        ((200, b"[1]"), "is it really a Dagster webserver"),
        ((404, b"<html>nothing here</html>"), "answered 404 without GraphQL"),
        ((401, b""), "answered 401: credentials are missing"),
        ((403, b""), "answered 403: credentials are missing"),
    ],
)
def test_any_other_bad_answer_is_an_error_that_is_not_ours(answer: Any, said: str) -> None:
    with pytest.raises(CiError, match=said) as caught:
        launch_once(answer)
    assert type(caught.value) is CiError


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_without_a_webserver_is_unreachable(status: int) -> None:
    with pytest.raises(DagsterUnreachable, match=f"answered {status}: it is not up"):
        launch_once((status, b"bad gateway"))


def test_an_answer_that_does_not_come_in_time_is_unreachable() -> None:
    with (
        serve({"Run": [HANG]}) as fake,
        DagsterClient(fake.url, timeout=0.1) as client,
        pytest.raises(DagsterUnreachable, match=r"no answer from .*: timed out; is dagster-web"),
    ):
        client.run("r1")


def test_a_refused_connection_is_unreachable_and_says_where() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can take the port
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with (
            DagsterClient(url) as client,
            pytest.raises(DagsterUnreachable, match=f"no answer from {url}: .*refused"),
        ):
            client.run("r1")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:3000", "ftp://host", "http://", "http://[::1", "http://host:port"]
)
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(LaunchRefused, match="is no address: give one such as"):
        DagsterClient(url)


def test_a_password_in_the_address_is_used_and_never_shown() -> None:
    with DagsterClient("http://me:secret@127.0.0.1:1") as client:
        with pytest.raises(DagsterUnreachable, match="no answer from") as caught:
            client.run("r1")
        assert "secret" not in str(caught.value) + client.run_page("r1")
