"""Runs the jobs of a code location in this process, on a persistent instance.

What the demo and the end-to-end tests use: the same definitions, the same events, no process start
per run. In production the daemon launches them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.errors import CiError

# Events are kept in the instance; the terminal belongs to whoever drives.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run left behind."""

    run_id: str
    success: bool
    failures: tuple[str, ...]  # step: what it said
    metadata: Mapping[str, Mapping[str, Any]]  # by asset key, the values that its event carries
    failed_checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Driver:
    """One code location on one instance."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(
        self,
        job: str,
        *,
        ops: Mapping[str, Any] | None = None,
        months: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> Ran:
        """The job ran to its end; a failure is a value. `months` is a range of partitions."""
        chosen: dict[str, str] = dict(tags or {})
        partition = None
        if len(months) == 1:
            partition = months[0]
        elif months:
            chosen["dagster/asset_partition_range_start"] = months[0]
            chosen["dagster/asset_partition_range_end"] = months[-1]
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={"ops": {op: {"config": dict(c)} for op, c in (ops or {}).items()}, **QUIET},
            partition_key=partition,
            tags=chosen,
            raise_on_error=False,
        )
        return _ran(result)

    def tick(self, sensor: str, cursor: str | None = None) -> tuple[dg.RunRequest, ...]:
        """What the sensor asks for now; nothing is launched."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=cursor, resources={"house": House()}
        )
        answer = self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        return tuple(answer.run_requests or ())

    def schedule(self, schedule: str) -> str:
        """The job that the schedule would launch at its next tick, or why it launches none."""
        defined = self.definitions.resolve_schedule_def(schedule)
        context = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=datetime.now(UTC),
            resources={"house": House()},
        )
        told = defined.evaluate_tick(context)
        return defined.job_name if told.run_requests else told.skip_message or ""

    def launch(self, request: dg.RunRequest) -> Ran:
        """A requested run ran to its end, as the daemon would have launched it."""
        if request.job_name is None:
            raise CiError("a run request without a job's name cannot be launched")
        result = self.definitions.resolve_job_def(request.job_name).execute_in_process(
            instance=self.instance,
            run_config={**request.run_config, **QUIET},
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )
        return _ran(result)


def _ran(result: dg.ExecuteInProcessResult) -> Ran:
    events = result.all_events
    materialised = [
        e.step_materialization_data.materialization for e in events if e.is_step_materialization
    ]
    checks = [
        e.asset_check_evaluation_data
        for e in events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return Ran(
        run_id=result.run_id,
        success=result.success,
        failures=tuple(_failure(e) for e in events if e.is_step_failure),
        metadata={
            m.asset_key.to_user_string(): {k: v.value for k, v in m.metadata.items()}
            for m in materialised
        },
        failed_checks=tuple(
            f"{c.asset_key.to_user_string()}:{c.check_name}" for c in checks if not c.passed
        ),
    )


def _failure(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    said = error.message.strip() if error is not None else event.message or ""
    return f"{event.step_key}: {said}"
