"""Runs whose worker is gone are said to have failed, before anything waits behind them.

Dagster's default launcher cannot ask whether a worker still lives: after a power cut its runs stay
`STARTED` for ever and hold their places in queue and pools. On one machine the answer is known when
the services start: no process of this instance runs, so no worker does.
"""

import os
from collections.abc import Iterator

import dagster as dg
import psutil

LOST = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# A run worker is started by spawning: its own command line does not say what it works for.
MARKS = ("dagster", "multiprocessing.spawn")
WHY = "its worker is gone: the services were started anew and no process of this instance ran"


def clear_lost_runs(instance: dg.DagsterInstance, home: str) -> tuple[str, ...]:
    """Runs that nobody works on any more are marked as failed; their ids.

    Call it before daemon and webserver start. Where a Dagster process of the instance in `home` is
    alive (another `mlops dev`, an orphaned worker) nothing is changed: a living run must not be
    called dead.
    """
    if next(_processes_of(home), None) is not None:
        return ()
    lost = instance.get_runs(dg.RunsFilter(statuses=list(LOST)))
    for run in lost:
        instance.report_run_failed(run, WHY)
    return tuple(run.run_id for run in lost)


def _processes_of(home: str) -> Iterator[psutil.Process]:
    """Dagster processes of this instance, ours not among them."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            mine = process.environ().get("DAGSTER_HOME") == home
            words = " ".join(process.cmdline())
            if mine and any(mark in words for mark in MARKS):
                yield process
        except (psutil.Error, OSError):
            continue
