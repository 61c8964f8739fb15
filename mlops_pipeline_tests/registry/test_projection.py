"""Aliases follow the ledger: which version each means, and that nothing is left half done."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine

from mlops_pipeline.cli.main import main
from mlops_pipeline.errors import LostRace
from mlops_pipeline.ledger import champion, quarantine, rollouts, versions
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.ledger.versions import VersionStatus
from mlops_pipeline.registry.bundle import MANIFEST, BundleManifest
from mlops_pipeline.registry.mlflow import MlflowRegistry, open_registry
from mlops_pipeline.registry.projection import Repair, project_aliases, wanted_aliases
from mlops_pipeline.settings import read_settings
from mlops_pipeline_tests.registry.parts import bundle
from mlops_pipeline_tests.registry.world import NOW

MODEL = "visits"
NONE = {"candidate": None, "staging": None, "challenger": None, "champion": None, "previous": None}


@pytest.fixture
def ledger(tmp_path: Path) -> Engine:
    """An empty ledger."""
    return open_ledger(f"sqlite:///{tmp_path / 'home' / 'ledger' / 'ledger.db'}")


def staged(tx: Connection, *names: str) -> None:
    """Versions that passed their gates, each of a lineage of its own."""
    for name in names:
        versions.add(
            tx, MODEL, name, bundle=f"b{name}", lineage=f"l{name}", status=VersionStatus.STAGING,
            now=NOW + timedelta(hours=int(name)),
        )  # fmt: skip


def led_by(tx: Connection, *names: str) -> None:
    """The champions, one after the other; each served well."""
    for place, name in enumerate(names):
        champion.move(
            tx, MODEL, to=name, seen_epoch=place, reason="evidence", now=NOW, first=place == 0
        )
        versions.mark_served(tx, MODEL, name, now=NOW + timedelta(days=place))


def test_a_model_without_versions_has_no_alias(ledger: Engine) -> None:
    with reading(ledger) as view:
        assert wanted_aliases(view, MODEL) == NONE


def test_each_alias_means_one_place_of_a_versions_life(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        staged(tx, "1", "2", "3", "10")
        led_by(tx, "1", "2")
        rollouts.start(
            tx, MODEL, candidate="3", stable="2", plan={}, plan_digest="p", reason="r", now=NOW
        )
        assert wanted_aliases(tx, MODEL) == {
            "candidate": "10",
            "staging": "10",
            "challenger": "3",
            "champion": "2",
            "previous": "1",
        }


def test_what_passed_before_the_champion_did_waits_no_longer(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        staged(tx, "1", "2")
        led_by(tx, "2")
        assert wanted_aliases(tx, MODEL) == {**NONE, "candidate": "2", "champion": "2"}


def test_a_version_in_quarantine_keeps_no_alias_and_is_no_way_back(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        staged(tx, "1", "2", "3", "4")
        led_by(tx, "1", "2", "3")
        for gone in ("2", "4"):
            quarantine.put(tx, MODEL, f"l{gone}", version=gone, reason="errors", now=NOW)
        assert wanted_aliases(tx, MODEL) == {
            "candidate": "3",
            "staging": None,
            "challenger": None,
            "champion": "3",
            "previous": "1",
        }


@pytest.mark.slow
class TestAgainstMlflow:
    """With a real MLflow store in a folder."""

    pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The home that the settings name."""
        monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("MLOPS_PROFILE", "scratch")
        return tmp_path / "home"

    @pytest.fixture
    def ledger(self, home: Path) -> Engine:
        """The home's ledger."""
        return open_ledger(read_settings().ledger_url)

    @pytest.fixture
    def registry(self, home: Path, ledger: Engine) -> MlflowRegistry:
        """Three versions, of which the first leads and the second is in quarantine."""
        registry = open_registry(read_settings())
        run_id = registry.open_run("train", tags={}, now=NOW)
        for seed in (1, 2, 3):
            files = bundle(seed=seed)
            manifest = msgspec.json.decode(files[MANIFEST], type=BundleManifest)
            registry.register(
                run_id=run_id, files=files, manifest=replace(manifest, model=MODEL), tags={}
            )
        with transaction(ledger) as tx:
            staged(tx, "1", "2", "3")
            led_by(tx, "1")
            quarantine.put(tx, MODEL, "l2", version="2", reason="errors", now=NOW)
        return registry

    def test_staging_that_points_into_quarantine_is_mended_and_told_once(
        self, ledger: Engine, registry: MlflowRegistry
    ) -> None:
        registry.set_alias(MODEL, "staging", "2")
        registry.set_alias(MODEL, "previous", "2")
        registry.set_alias(MODEL, "a-persons-own", "2")
        assert set(project_aliases(ledger, registry, MODEL)) == {
            Repair(MODEL, "candidate", None, "3"),
            Repair(MODEL, "staging", "2", "3"),
            Repair(MODEL, "champion", None, "1"),
            Repair(MODEL, "previous", "2", None),
        }
        assert project_aliases(ledger, registry, MODEL) == ()
        assert registry.aliases(MODEL) == {
            "candidate": "3",
            "staging": "3",
            "champion": "1",
            "a-persons-own": "2",
        }

    def test_a_reconciler_that_was_killed_half_way_is_finished_by_the_next(
        self, home: Path, ledger: Engine, registry: MlflowRegistry
    ) -> None:
        registry.set_alias(MODEL, "staging", "2")
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_AFTER_ONE],
            env={**os.environ, "MLOPS_HOME": str(home)},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert registry.aliases(MODEL) == {"candidate": "3", "staging": "2"}
        assert {r.alias for r in project_aliases(ledger, registry, MODEL)} == {
            "staging",
            "champion",
        }
        assert registry.aliases(MODEL) == {"candidate": "3", "staging": "3", "champion": "1"}

    def test_of_eight_promoters_one_wins_seven_are_named_and_the_alias_is_the_winners(
        self, ledger: Engine, registry: MlflowRegistry
    ) -> None:
        names = [str(number) for number in range(4, 12)]
        files = {name: bundle(seed=int(name)) for name in names}
        run_id = registry.open_run("train", tags={}, now=NOW)
        for name in names:
            manifest = msgspec.json.decode(files[name][MANIFEST], type=BundleManifest)
            made = registry.register(
                run_id=run_id, files=files[name], manifest=replace(manifest, model=MODEL), tags={}
            )
            assert made.version == name
        with transaction(ledger) as tx:
            staged(tx, *names)
        all_have_read = threading.Barrier(len(names))

        def promote(name: str) -> str:
            with reading(ledger) as view:
                seen = champion.read(view, MODEL)
            assert seen is not None
            all_have_read.wait()
            try:
                with transaction(ledger) as tx:
                    champion.move(tx, MODEL, to=name, seen_epoch=seen.epoch, reason="won", now=NOW)
                said = name
            except LostRace as lost:
                said = f"{name} lost: {lost}"
            project_aliases(ledger, open_registry(read_settings()), MODEL)
            return said

        with ThreadPoolExecutor(len(names)) as pool:
            outcomes = list(pool.map(promote, names))
        winners = [said for said in outcomes if said in names]
        losers = [said for said in outcomes if "lost: visits: the champion is at epoch 2" in said]
        assert (len(winners), len(losers)) == (1, 7)
        assert registry.alias(MODEL, "champion") == winners[0]
        assert registry.alias(MODEL, "previous") == "1"
        assert project_aliases(ledger, registry, MODEL) == ()

    def test_a_version_that_somebody_deleted_in_mlflow_is_told_and_holds_up_nothing(
        self, ledger: Engine, registry: MlflowRegistry
    ) -> None:
        registry._client.delete_model_version(MODEL, "3")
        found = {r.alias: r for r in project_aliases(ledger, registry, MODEL)}
        assert "version 3" in found["staging"].error
        assert str(found["staging"]).startswith("visits@staging: none -> 3, not mended: ")
        assert registry.aliases(MODEL) == {"champion": "1"}

    def test_the_command_says_what_it_mended_and_then_nothing(
        self, registry: MlflowRegistry
    ) -> None:
        said = CliRunner().invoke(main, ["aliases"], standalone_mode=False)
        assert "visits: candidate 3, staging 3, champion 1" in said.output
        assert "mended visits@champion: none -> 1" in said.output
        again = CliRunner().invoke(main, ["aliases", "--json"], standalone_mode=False)
        told = msgspec.json.decode(again.output)
        assert told["repaired"] == []
        assert told["aliases"]["visits"]["champion"] == "1"


KILLED_AFTER_ONE = """
import os, signal
from mlops_pipeline.ledger.store import open_ledger
from mlops_pipeline.registry.mlflow import open_registry
from mlops_pipeline.registry.projection import project_aliases
from mlops_pipeline.settings import read_settings

class Dies:
    def __init__(self, real):
        self.aliases, self.real = real.aliases, real
    def set_alias(self, *given):
        self.real.set_alias(*given)
        os.kill(os.getpid(), signal.SIGKILL)

settings = read_settings()
project_aliases(open_ledger(settings.ledger_url), Dies(open_registry(settings)), "visits")
"""
