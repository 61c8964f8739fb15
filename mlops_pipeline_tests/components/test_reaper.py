"""After a power cut no run is left that nobody works on."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlops_pipeline.components.reaper import WHY, clear_lost_runs

STATUS = dg.DagsterRunStatus


def lost(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    @dg.job
    def nothing() -> None:
        pass

    return instance.create_run_for_job(nothing, status=status).run_id


def test_runs_whose_worker_is_gone_are_failed_and_the_others_stay(tmp_path: Path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        gone = {lost(instance, s) for s in (STATUS.STARTED, STATUS.STARTING, STATUS.CANCELING)}
        kept = {s: lost(instance, s) for s in (STATUS.NOT_STARTED, STATUS.SUCCESS)}
        assert set(clear_lost_runs(instance, str(tmp_path))) == gone
        assert {instance.get_run_by_id(run).status for run in gone} == {STATUS.FAILURE}
        assert all(instance.get_run_by_id(run).status is s for s, run in kept.items())
        told = [e.message for run in gone for e in instance.all_logs(run)]
        assert any(WHY in message for message in told)
        assert clear_lost_runs(instance, str(tmp_path)) == ()


@pytest.mark.parametrize("word", ["dagster", "from multiprocessing.spawn import spawn_main"])
def test_a_living_process_of_the_instance_keeps_its_runs(tmp_path: Path, word: str):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = lost(instance, STATUS.STARTED)
        code = "import sys; print('up', flush=True); sys.stdin.read()"
        alive = subprocess.Popen(
            [sys.executable, "-c", code, word],
            env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with alive:
            assert alive.stdout.readline() == b"up\n"
            assert clear_lost_runs(instance, str(tmp_path)) == ()
            assert instance.get_run_by_id(run).status is STATUS.STARTED
            alive.stdin.close()
        assert clear_lost_runs(instance, str(tmp_path)) == (run,)
