"""Drills on real processes under load; the full set runs with `mlops drill --all`."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from mlops_pipeline.cli.drill import drill
from mlops_pipeline.delivery.drills.catalogue import DRILLS
from mlops_pipeline.delivery.drills.run import run_drill
from mlops_pipeline.delivery.drills.scene import SETTLE_SECONDS, scene
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline_tests.postgres import NOBODY, postgres

REPRESENTATIVE = [name for name, one in DRILLS.items() if one.representative]


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_one_consistent_state_is_left(name: str, tmp_path: Path):
    report = run_drill(name, tmp_path / "home")
    assert report.passed, report.trouble
    assert report.settle_seconds <= SETTLE_SECONDS
    assert report.unexplained == 0
    assert report.audit_entries > 0


def test_every_drill_is_listed_and_an_unknown_one_is_refused(tmp_path: Path):
    listed = CliRunner().invoke(drill, []).output
    assert all(name in listed for name in DRILLS)
    with pytest.raises(DeliveryError, match=r"no drill is named 'flood'; there are: worker"):
        run_drill("flood", tmp_path)


def test_the_set_of_ci_covers_worker_node_candidate_and_router():
    assert {"worker", "node", "challenger", "failing", "xds-unwritable"} <= set(REPRESENTATIVE)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs to mount a disk")
def test_on_a_full_disk_a_failing_candidate_still_leaves(tmp_path: Path):
    home = tmp_path / "home"
    disk = home / "node"
    disk.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount")
    try:
        report = run_drill("disk-full", home)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert report.passed, report.trouble


def _kill_all(master: psutil.Process) -> None:
    for process in (master, *master.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([master], timeout=10)


@pytest.mark.slow
def test_the_ledgers_database_may_die_while_a_candidate_fails(tmp_path: Path):
    with postgres() as url:
        data = Path(url.partition("host=")[2]) / "data"
        with create_engine(url.format(database="postgres")).connect() as db:
            db.execution_options(isolation_level="AUTOCOMMIT").execute(text("CREATE DATABASE d"))
        faults = dict(DRILLS["failing"].faults)
        with scene(tmp_path / "home", faults=faults, ledger=url.format(database="d")) as built:
            rollout = built.begin("bad").id
            built.drive(rollout, to=RolloutState.STEPPING, weight=1000)
            master = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
            argv = [master.exe(), *master.cmdline()[1:]]
            owner = NOBODY if os.geteuid() == 0 else None
            built.world.engine.dispose()
            _kill_all(master)
            assert built.step(rollout) != 0  # a step without a ledger does nothing
            built.until("the node retreats by itself", lambda: built.weight() == 0)
            with (tmp_path / "pg.log").open("ab") as log:
                again = subprocess.Popen(argv, cwd=data, user=owner, stdout=log, stderr=log)
            built.until("the ledger is back", lambda: built.step(rollout) == 0)
            row = built.drive(rollout)
            assert row.state is RolloutState.ROLLED_BACK
            assert built.settled() <= SETTLE_SECONDS
            assert built.audited() > 0
            assert set(built.failed_by) <= {"flight_delay-vbad"}
            built.world.engine.dispose()
    assert again.wait(20) == 0  # stopped by the one who began it
