"""After a power cut no run is left that nobody works on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from mlops_pipeline.components.reaper import WHY, clear_lost_runs, is_dagsters

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


WAIT = "import sys; print('up', flush=True); sys.stdin.read()"
SPAWNED = f"import multiprocessing.spawn; {WAIT}"


@contextmanager
def living(home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the instance in `home`, up; it ends afterwards."""
    alive = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with alive:
        assert alive.stdout.readline() == b"up\n"
        yield alive
        alive.stdin.close()


@pytest.mark.parametrize("how", ["a program", "a spawned worker"])
def test_a_living_process_of_the_instance_keeps_its_runs(tmp_path: Path, how: str):
    program = tmp_path / "dagster-daemon"
    program.write_text(WAIT)
    words = (str(program),) if how == "a program" else ("-c", SPAWNED)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = lost(instance, STATUS.STARTED)
        with living(tmp_path, *words):
            assert clear_lost_runs(instance, str(tmp_path)) == ()
            assert instance.get_run_by_id(run).status is STATUS.STARTED
        assert clear_lost_runs(instance, str(tmp_path)) == (run,)


def test_a_router_whose_files_lie_below_a_folder_named_dagster_keeps_no_run(tmp_path: Path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = lost(instance, STATUS.STARTED)
        with living(tmp_path, "-c", WAIT, "--config", "/srv/dagster/home/envoy.json"):
            assert clear_lost_runs(instance, str(tmp_path)) == (run,)


@pytest.mark.parametrize(
    ("command", "is_its"),
    [
        ("python -m dagster api grpc --port 4000", True),
        ("python -m dagster._daemon run", True),
        ("python -m dagster_webserver", True),
        ("/venv/bin/python /venv/bin/dagster-webserver -p 3000", True),
        ("python -u -m mlops_pipeline.serving --log /srv/dagster/log", False),
        ("envoy -c /srv/dagster/home/bootstrap.json", False),
    ],
)
def test_dagster_is_known_by_its_program_or_module_and_not_by_a_path(command: str, is_its: bool):
    assert is_dagsters(command.split()) is is_its
