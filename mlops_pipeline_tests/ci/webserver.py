"""A small real HTTP server on loopback that gives literal answers to the client's documents."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = object()  # an answer that never comes while the server lives


class Webserver:
    """Answers by operation name (`Jobs`, `Launch`, …): a list is used up, its last one stays."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self.answers = {name: list(given) for name, given in answers.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.closing = threading.Event()
        self._moved = threading.Condition()
        self.url = ""

    def note(self, name: str, variables: dict[str, Any]) -> None:
        """An operation was asked for."""
        with self._moved:
            self.asked.append((name, variables))
            self._moved.notify_all()

    def wait_for(self, name: str) -> None:
        """That operation has been asked for."""
        with self._moved:
            assert self._moved.wait_for(lambda: name in self.names(), timeout=60), self.names()

    def names(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [name for name, _ in self.asked]

    def variables(self, name: str) -> dict[str, Any]:
        """The variables of the newest request of that operation."""
        return next(given for asked, given in reversed(self.asked) if asked == name)

    def answer(self, name: str) -> Any:
        """The next answer to that operation."""
        given = self.answers[name]
        return given.pop(0) if len(given) > 1 else given[0]


@contextmanager
def serve(answers: dict[str, list[Any]]) -> Iterator[Webserver]:
    """A webserver that runs within the block.

    An answer is the `data` object, or `(status, bytes)` for anything else, or HANG.
    """
    fake = Webserver(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = re.match(r"\s*\w+ (\w+)", body["query"])
            assert name, body["query"]
            fake.note(name[1], body["variables"])
            given = fake.answer(name[1])
            if given is HANG:
                fake.closing.wait()
                self.close_connection = True
                return
            status, content = (
                given if isinstance(given, tuple) else (200, json.dumps({"data": given}).encode())
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def jobs(*names: str, location: str = "here") -> dict[str, Any]:
    """The workspace of one code location with these jobs."""
    repository = {"name": "__repository__", "pipelines": [{"name": name} for name in names]}
    place = {"__typename": "RepositoryLocation", "repositories": [repository]}
    entry = {"name": location, "loadStatus": "LOADED", "locationOrLoadError": place}
    return {"workspaceOrError": {"__typename": "Workspace", "locationEntries": [entry]}}


def partitions(*keys: str, **tags: str) -> dict[str, Any]:
    """The partition keys of a job, and its tags; `__` in a tag's name stands for `/`."""
    found = {"partitionKeysOrError": {"partitionKeys": list(keys)}, "tags": _tags(tags)}
    return {"pipelineOrError": {"__typename": "Pipeline", **found}}


VALID = {"isPipelineConfigValid": {"__typename": "PipelineConfigValidationValid"}}


def run(
    status: str, run_id: str = "r1", job: str = "m__train", root: str | None = None, **tags: str
) -> dict[str, Any]:
    """A run as Dagster tells it; `__` in a tag's name stands for `/`."""
    return {
        "__typename": "Run",
        "runId": run_id,
        "jobName": job,
        "status": status,
        "rootRunId": root,
        "tags": _tags(tags),
    }


def _tags(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key.replace("__", "/"), "value": value} for key, value in named.items()]


def launched(given: dict[str, Any]) -> dict[str, Any]:
    """The answer to a launch."""
    return {"launchRun": {"__typename": "LaunchRunSuccess", "run": given}}


def current(given: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question after one run."""
    return {"runOrError": given}


def runs(*newest_first: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question after runs."""
    return {"runsOrError": {"__typename": "Runs", "results": list(newest_first)}}


def events(*given: dict[str, Any], cursor: str = "c1", more: bool = False) -> dict[str, Any]:
    """A page of events."""
    page = {"__typename": "EventConnection", "cursor": cursor, "hasMore": more}
    return {"logsForRun": {**page, "events": list(given)}}


def evaluated(verdict: str, reasons: str = "", model: str = "m") -> dict[str, Any]:
    """The event that carries the gate's word."""
    entries = [{"label": "rows"}, {"label": "verdict", "text": verdict}]
    entries += [{"label": "reasons", "text": reasons}] if reasons else []
    return {
        "__typename": "MaterializationEvent",
        "timestamp": "1700000002000",
        "stepKey": f"{model}__evaluation",
        "message": "Materialized value.",
        "assetKey": {"path": [model, "evaluation"]},
        "metadataEntries": entries,
    }


def step(kind: str, key: str, at: int = 0) -> dict[str, Any]:
    """A step event, `at` seconds after an arbitrary moment."""
    stamp = str(1_700_000_000_000 + at * 1000)
    return {"__typename": kind, "timestamp": stamp, "stepKey": key, "message": ""}


def step_failed(
    key: str, error_class: str, message: str, cause: str | None = None
) -> dict[str, Any]:
    """A step that failed."""
    below = {"message": cause} if cause else None
    error = {"className": error_class, "message": message, "cause": below}
    return {**step("ExecutionStepFailureEvent", key, 1), "error": error}


def checked(name: str, *, passed: bool, severity: str = "ERROR", said: str = "") -> dict[str, Any]:
    """An asset check's evaluation."""
    found = {
        "checkName": name,
        "assetKey": {"path": ["m", "rows"]},
        "success": passed,
        "severity": severity,
        "description": said or None,
    }
    return {**step("AssetCheckEvaluationEvent", f"m__{name}", 1), "evaluation": found}
