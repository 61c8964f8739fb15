"""Speaking GraphQL with a Dagster webserver: typed answers, and errors that say what to do.

Dagster answers with 200 and a `__typename` for what it foresaw, with 500 and a body for what it did
not, and with 400 for a malformed document. All three become exceptions here.
"""

from collections.abc import Mapping
from typing import Any, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from mlops_pipeline.ci import documents
from mlops_pipeline.ci.answers import (
    Event,
    Events,
    Job,
    Launched,
    LocationEntry,
    Run,
    Runs,
    Wire,
    Workspace,
)
from mlops_pipeline.errors import CiError, DagsterUnreachable, LaunchRefused

LOOPBACK = ("localhost", "127.0.0.1", "::1")
OUR_FAULT = frozenset(  # answers that mean: what was asked for is not there
    {
        "ConflictingExecutionParamsError",
        "InvalidOutputError",
        "InvalidPipelineRunsFilterError",
        "InvalidStepError",
        "InvalidSubsetError",
        "NoModeProvidedError",
        "PipelineNotFoundError",
        "PresetNotFoundError",
        "RunConfigValidationInvalid",
        "RunNotFoundError",
    }
)
BAD_GATEWAYS = (502, 503, 504)  # a proxy answered for a webserver that does not
Json = Mapping[str, Any]
Answer = TypeVar("Answer", bound=Wire)


class DagsterClient:
    """The few questions that CI asks a webserver; close it, or use it in a `with`."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        """A client of the webserver at `url`; `timeout` is for one answer, in seconds.

        Raises:
            LaunchRefused: `url` is no address of a webserver.
        """
        parts = _address(url)
        bare = parts.netloc.rpartition("@")[2]
        self.url = parts._replace(netloc=bare).geturl().rstrip("/")  # without a password
        self._http = httpx.Client(
            timeout=timeout,
            trust_env=parts.hostname not in LOOPBACK,  # no proxy stands before this machine
            auth=httpx.BasicAuth(parts.username, parts.password or "") if parts.username else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def run_page(self, run_id: str) -> str:
        """The address at which a person sees the run."""
        return f"{self.url}/runs/{run_id}"

    def locations(self) -> tuple[LocationEntry, ...]:
        """Every code location of the workspace, loaded or not."""
        return self._ask(documents.JOBS, {}, "workspaceOrError", Workspace).location_entries

    def job(self, selector: Json) -> Job:
        """The job's partitions and tags."""
        return self._ask(documents.PARTITIONS, {"job": selector}, "pipelineOrError", Job)

    def check_config(self, job: Json, config: Json) -> None:
        """The job takes this run config.

        Raises:
            LaunchRefused: it does not; the message holds every error.
        """
        variables = {"job": job, "config": config}
        self._ask(documents.CONFIG, variables, "isPipelineConfigValid", Wire)

    def launch(self, params: Json) -> Run:
        """A run was created."""
        return self._ask(documents.LAUNCH, {"params": params}, "launchRun", Launched).run

    def run(self, run_id: str) -> Run:
        """The run, as of now."""
        return self._ask(documents.RUN, {"id": run_id}, "runOrError", Run)

    def runs_tagged(self, key: str, value: str) -> tuple[Run, ...]:
        """The runs that carry this tag, the newest first."""
        variables = {"filter": {"tags": [{"key": key, "value": value}]}}
        return self._ask(documents.RUNS, variables, "runsOrError", Runs).results

    def events(self, run_id: str, cursor: str | None) -> tuple[tuple[Event, ...], str | None]:
        """The run's events after the cursor, and the cursor to go on from."""
        found: list[Event] = []
        more = True
        while more:
            variables = {"id": run_id, "cursor": cursor}
            page = self._ask(documents.EVENTS, variables, "logsForRun", Events)
            found += page.events
            cursor, more = page.cursor, page.has_more
        return tuple(found), cursor

    def cancel(self, run_id: str) -> None:
        """The run was told to end."""
        self._ask(documents.CANCEL, {"id": run_id}, "terminateRun", Wire)

    def _ask(self, document: str, variables: Json, name: str, shape: type[Answer]) -> Answer:
        response = self._post(document, variables)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._no_answer(response)
        answer = (body.get("data") or {}).get(name)
        if not isinstance(answer, dict):
            said = "; ".join(str(error.get("message")) for error in body.get("errors") or [])
            raise CiError(
                f"{self.url} answered {response.status_code}: {said or response.text[:200]}; "
                "this client speaks to Dagster 1.13"
            )
        self._refuse(answer)
        try:
            return msgspec.convert(answer, type=shape)
        except msgspec.ValidationError as error:
            raise CiError(
                f"{self.url} answered {name} in another shape than Dagster 1.13: {error}"
            ) from error

    def _post(self, document: str, variables: Json) -> httpx.Response:
        try:
            response = self._http.post(
                f"{self.url}/graphql", json={"query": document, "variables": variables}
            )
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise DagsterUnreachable(
                f"no answer from {self.url}: {why}; is dagster-webserver running there? "
                "(say another address with --url or DAGSTER_URL)"
            ) from error
        if response.status_code in (401, 403):
            raise CiError(f"{self.url} answered {response.status_code}: credentials are missing")
        if response.status_code in BAD_GATEWAYS:
            raise DagsterUnreachable(f"{self.url} answered {response.status_code}: it is not up")
        return response

    def _no_answer(self, response: httpx.Response) -> CiError:
        said = " ".join(response.text.split())[:120]
        return CiError(
            f"{self.url} answered {response.status_code} without GraphQL: {said!r}; "
            "is it really a Dagster webserver?"
        )

    def _refuse(self, answer: Json) -> None:
        kind = str(answer.get("__typename", ""))
        if kind in OUR_FAULT:
            raise LaunchRefused(f"Dagster refuses: {_said(answer) or kind}")
        if kind.endswith(("Error", "Failure", "Conflict")):
            raise CiError(f"Dagster failed with {kind}: {_said(answer) or 'no message'}")


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # an open bracket, a port that is no number
        usable = False
    if not usable:
        raise LaunchRefused(f"{url!r} is no address: give one such as http://127.0.0.1:3000")
    return parts


def _said(answer: Json) -> str:
    """What an error answer says, without the type of everything that would have been right."""
    messages = [error["message"] for error in answer.get("errors") or ()] or [
        answer.get("message") or answer.get("invalidStepKey") or ""
    ]
    return "; ".join(str(message).partition(" Expected: ")[0].strip() for message in messages)
