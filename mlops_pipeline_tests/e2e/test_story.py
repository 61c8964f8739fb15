"""The story as a newcomer tells it: every claim holds, and each can fail."""

import pathlib

import pytest

from mlops_pipeline.settings import PACKAGE_MODELS
from mlops_pipeline_tests.e2e.conftest import Told, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_every_claim_of_the_story_holds(told: Told) -> None:
    summary = told.summary

    assert summary["broken"] is None
    assert told.code == 0
    assert summary["ok"] is True
    assert summary["promoted"] is True
    assert summary["rolled_back"] is True
    assert summary["drift"]["fired"] is True
    assert summary["requests_failed"] == 0
    assert summary["requests_sent"] >= 3000
    assert sorted(summary["versions"]) == ["1", "2", "3"]
    assert set(summary["stages"]) == {
        "data",
        "validation",
        "first_version",
        "serving",
        "live_traffic",
        "drift",
        "canary",
        "rollback",
    }


def test_the_rollback_was_fast_and_by_evidence(told: Told) -> None:
    rollback = told.summary["rollback"]

    assert 1 <= rollback["requests_to_decision"] <= 400
    assert 0 < rollback["seconds_to_zero_weight"] < 10
    assert ">=" in rollback["reason"] or "retreated" in rollback["reason"]


def test_what_the_story_left_can_be_read(told: Told) -> None:
    folder = pathlib.Path(told.environment["MLOPS_HOME"]) / "demo"

    assert "Every claim of the story held" in (folder / "report.html").read_text()
    assert (folder / "summary.json").exists()


def test_without_the_planted_fault_the_last_stage_breaks(tmp_path: pathlib.Path) -> None:
    broken = tell(tmp_path / "home", "--fault", "")

    assert broken.code == 1
    assert broken.summary["ok"] is False
    assert "stage 'rollback'" in broken.summary["broken"]
    assert "rolled back" in broken.summary["broken"]


@pytest.mark.parametrize(
    ("stage", "said", "instead"),
    [
        ("validation", "maximum: 6000", "maximum: 60000"),  # kilometres look like miles
        ("first_version", "at_least: 0.55", "at_least: 0.95"),
    ],
)
def test_a_contract_that_says_something_else_breaks_its_stage(
    tmp_path: pathlib.Path, stage: str, said: str, instead: str
) -> None:
    text = (PACKAGE_MODELS / "flight_delay" / "contract.yaml").read_text()
    assert said in text
    folder = tmp_path / "models" / "flight_delay"
    folder.mkdir(parents=True)
    (folder / "contract.yaml").write_text(text.replace(said, instead))

    broken = tell(tmp_path / "home", MLOPS_CONTRACTS=str(tmp_path / "models"))

    assert broken.code == 1
    assert f"stage {stage!r}" in broken.summary["broken"]


def test_a_home_that_no_demo_made_is_left_alone(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ledger.db").write_text("somebody's state")

    refused = tell(home)

    assert refused.code == 4
    assert "holds state that no demo made" in refused.summary["error"]
    assert (home / "ledger.db").read_text() == "somebody's state"
