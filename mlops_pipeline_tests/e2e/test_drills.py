"""Drills on real processes under load; the full set runs with `mlops drill --all`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.drill import drill
from mlops_pipeline.delivery.drills.catalogue import DRILLS
from mlops_pipeline.delivery.drills.database import database
from mlops_pipeline.delivery.drills.harms import HARMS
from mlops_pipeline.delivery.drills.matrix import PLACES, cells, run_matrix
from mlops_pipeline.delivery.drills.matrix import REPRESENTATIVE as REPRESENTATIVE_CELLS
from mlops_pipeline.delivery.drills.run import run_drill
from mlops_pipeline.delivery.drills.scene import SETTLE_SECONDS, scene
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline_tests.delivery.conftest import until
from mlops_pipeline_tests.postgres import programs_for

REPRESENTATIVE = [name for name, one in DRILLS.items() if one.representative]


@pytest.fixture
def postgres_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The programs of the package index's PostgreSQL come first."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs_for(folder)}{os.pathsep}{os.environ['PATH']}")
    yield
    shutil.rmtree(folder)


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


@pytest.mark.slow
@pytest.mark.usefixtures("postgres_on_path")
def test_the_ledgers_database_may_die_while_a_candidate_fails(tmp_path: Path):
    faults = dict(DRILLS["failing"].faults)
    with database() as ledger:
        ledger.start()
        until("PostgreSQL answers", ledger.answers)
        with scene(tmp_path / "home", faults=faults, ledger=ledger) as built:
            rollout = built.begin("bad").id
            built.drive(rollout, to=RolloutState.STEPPING, weight=1000)
            built.world.engine.dispose()
            ledger.stop()
            assert built.step(rollout) != 0  # a step without a ledger does nothing
            built.until("the node retreats by itself", lambda: built.weight() == 0)
            built.until("the ledger is back", lambda: ledger.answers() and built.step(rollout) == 0)
            assert built.drive(rollout).state is RolloutState.ROLLED_BACK
            assert built.settled() <= SETTLE_SECONDS
            assert built.audited() > 0
            assert built.hurt.unexplained() == ()


@pytest.mark.slow
@pytest.mark.usefixtures("postgres_on_path")
def test_cells_of_the_matrix_leave_one_state(tmp_path: Path):
    reports = run_matrix(REPRESENTATIVE_CELLS, tmp_path, say=lambda report: None)
    assert [report.trouble for report in reports] == [""] * len(REPRESENTATIVE_CELLS)
    assert {report.cell for report in reports} == set(REPRESENTATIVE_CELLS)


def test_the_matrix_is_every_harm_in_every_state_and_ci_has_one_of_each_harm():
    every = cells()
    assert len(every) == len(set(every)) == len(HARMS) * (2 * (len(PLACES) - 2) + 2)
    assert {"preflight", "shadow", "step 50 %", "bake", "rolling back"} <= set(PLACES)
    assert {"approve_traffic", "approve_promotion", "promoted"} <= set(PLACES)
    assert set(REPRESENTATIVE_CELLS) <= set(every)
    assert {cell.harm for cell in REPRESENTATIVE_CELLS} == {harm.name for harm in HARMS}
