"""A run is launched only after everything that can be wrong about it was looked at.

Dagster itself launches a partitioned job without a partition, or with one that does not exist, and
the run fails minutes later; here both are errors before the launch.

A job whose tag names another that asks for it is not launched: the other one is, and its run says
how the retrain controller ruled (see `controller`).
"""

import difflib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_pipeline.ci.answers import LocationEntry, Run
from mlops_pipeline.ci.client import DagsterClient
from mlops_pipeline.errors import CiError, DagsterUnreachable, LaunchRefused
from mlops_pipeline.monitoring import tags

KEY_TAG = "mlops/ci_key"  # the same work is not launched twice under one key
LAUNCH_TAG = "mlops/ci_launch"  # names one attempt, so that a lost answer finds its run
PARTITION_TAG = "dagster/partition"
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a person or a workflow asks for."""

    job: str
    location: str | None = None  # needed where two code locations have a job of this name
    partition: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    past_controller: str | None = None  # why the retrain controller is not asked


@dataclass(frozen=True, slots=True)
class JobAddress:
    """Where the job lives in the workspace."""

    job: str
    repository: str
    location: str

    def selector(self, word: str) -> dict[str, str]:
        """GraphQL's name of it; the API says `pipelineName` in some places, `jobName` in others."""
        return {
            word: self.job,
            "repositoryName": self.repository,
            "repositoryLocationName": self.location,
        }


@dataclass(frozen=True, slots=True)
class Launch:
    """A run that answers the request: made for it, or found under its key."""

    run: Run
    found: bool


def launch(client: DagsterClient, request: LaunchRequest) -> Launch:
    """One run answers the request; under a key, one run answers all requests with that key.

    Raises:
        LaunchRefused: the job, partition or config is wrong; nothing was launched.
        CiError: Dagster failed, or its answer was lost and no run is to be found.
    """
    address = find_job(client.locations(), request)
    job = client.job(address.selector("pipelineName"))
    check_partition(job.partition_keys, request)
    client.check_config(address.selector("pipelineName"), request.config)
    request = _by_the_rules(request, job.tag(tags.ASKED_BY))
    address = replace(address, job=request.job)
    if request.key:
        earlier = client.runs_tagged(KEY_TAG, request.key)
        if earlier:
            return Launch(_same_work(_first_of(earlier), request), found=True)
    run = _launch(client, address, request)
    if request.key:
        first = _first_of(client.runs_tagged(KEY_TAG, request.key) or (run,))
        if first.run_id != run.run_id:  # another launch under this key was faster
            client.cancel(run.run_id)
            return Launch(_same_work(first, request), found=True)
    return Launch(run, found=False)


def find_job(entries: Iterable[LocationEntry], request: LaunchRequest) -> JobAddress:
    """Where the job lives.

    Raises:
        LaunchRefused: it is nowhere, or in several places.
        CiError: it is nowhere, but a code location could not be loaded.
    """
    entries = tuple(entries)
    wanted = [entry for entry in entries if request.location in (None, entry.name)]
    if not wanted:
        names = sorted(entry.name for entry in entries)
        raise LaunchRefused(
            f"no code location is named {request.location!r}; locations: {', '.join(names)}"
        )
    known = [
        JobAddress(job.name, repository.name, entry.name)
        for entry in wanted
        if entry.location_or_load_error
        for repository in entry.location_or_load_error.repositories
        for job in repository.pipelines
        if not job.name.startswith("__")
    ]
    found = [address for address in known if address.job == request.job]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(sorted(address.location for address in found))
        raise LaunchRefused(
            f"job {request.job!r} is in several locations: {places}; say --location"
        )
    for entry in wanted:
        place = entry.location_or_load_error
        if place is None or place.kind == "PythonError":
            why = place.message.strip() if place else f"it is {entry.load_status}"
            raise CiError(f"code location {entry.name!r} did not load: {why}")
    names = sorted({address.job for address in known})
    raise LaunchRefused(
        f"no job is named {request.job!r}{_close(request.job, names)}; "
        f"jobs: {', '.join(names) or 'none'}"
    )


def check_partition(keys: tuple[str, ...], request: LaunchRequest) -> None:
    """The request names a partition exactly where the job has them, and one that exists.

    Raises:
        LaunchRefused: it does not.
    """
    ends = [request.tags[tag] for tag in RANGE_TAGS if tag in request.tags]
    named = [request.partition] if request.partition is not None else ends
    if not keys and named:
        raise LaunchRefused(f"job {request.job!r} has no partitions: leave {named[0]!r} out")
    if keys and not named:
        raise LaunchRefused(
            f"job {request.job!r} is partitioned: say --partition, {keys[0]} to {keys[-1]}"
        )
    for key in named:
        if key not in keys:
            raise LaunchRefused(
                f"job {request.job!r} has no partition {key!r}{_close(key, keys)}; "
                f"it has {len(keys)}, {keys[0]} to {keys[-1]}"
            )


def _by_the_rules(request: LaunchRequest, asked_by: str | None) -> LaunchRequest:
    """What is launched: the job itself, or the one that asks for it."""
    if request.past_controller is not None:
        if asked_by is None:
            raise LaunchRefused(f"job {request.job!r} asks no controller: leave out the override")
        why = {tags.PAST_CONTROLLER: request.past_controller}
        return replace(request, tags={**request.tags, **why})
    if asked_by is None:
        return request
    wanted = {tags.RUN_CONFIG: json.dumps(request.config)}
    return replace(request, job=asked_by, config={}, tags={**request.tags, **wanted})


def _launch(client: DagsterClient, address: JobAddress, request: LaunchRequest) -> Run:
    attempt = uuid.uuid4().hex
    named = {**request.tags, LAUNCH_TAG: attempt}
    if request.key:
        named[KEY_TAG] = request.key
    if request.partition is not None:
        named[PARTITION_TAG] = request.partition
    params = {
        "selector": address.selector("jobName"),
        "mode": "default",
        "runConfigData": request.config,
        "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in named.items()]},
    }
    try:
        return client.launch(params)
    except DagsterUnreachable as error:
        try:
            made = client.runs_tagged(LAUNCH_TAG, attempt)
        except CiError:
            made = ()
        if made:
            return made[0]
        raise CiError(
            f"the launch of {request.job!r} had no answer, and no run is to be found; before you "
            f"try again look for a run tagged {LAUNCH_TAG}={attempt} ({error})"
        ) from error


def _first_of(newest_first: tuple[Run, ...]) -> Run:
    """The first launch under the key or, where it was executed again, the newest of its runs."""
    roots = [run for run in newest_first if run.root_run_id in (None, run.run_id)]
    root = (roots or newest_first)[-1]
    return next(r for r in newest_first if root.run_id in (r.run_id, r.root_run_id))


def _same_work(run: Run, request: LaunchRequest) -> Run:
    partition = run.tag(PARTITION_TAG)
    if (run.job_name, partition) != (request.job, request.partition):
        work = f"{run.job_name} {partition or ''}".strip()
        raise LaunchRefused(
            f"the key {request.key!r} belongs to run {run.run_id} of {work}: take another key"
        )
    return run


def _close(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
