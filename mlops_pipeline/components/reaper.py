"""Runs whose worker is gone are said to have failed, before anything waits behind them.

Dagster's default launcher cannot ask whether a worker still lives: after a power cut its runs stay
`STARTED` for ever and hold their places in queue and pools. On one machine the answer is known when
the services start: no process of this instance runs, so no worker does.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import dagster as dg
import psutil

LOST = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
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
            if mine and is_dagsters(process.cmdline()):
                yield process
        except (psutil.Error, OSError):
            continue


def is_dagsters(words: Sequence[str]) -> bool:
    """Whether a command line is that of one of Dagster's programs, modules or spawned workers.

    A path proves nothing: router and servers of a home below `/srv/dagster` are not Dagster's. A
    run worker is started by spawning, so its own command line does not say what it works for.
    """
    program = any(Path(word).name.startswith("dagster") for word in words[:2])
    module = any(flag == "-m" and name.startswith("dagster") for flag, name in pairwise(words))
    spawned = any(
        flag == "-c" and "multiprocessing.spawn" in code for flag, code in pairwise(words)
    )
    return program or module or spawned
