"""Prometheus' rules: an alert without a test is a hope, and so is a test that nothing breaks."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_pipeline.delivery.world import Runbook
from mlops_pipeline.monitoring.causes import Cause, runbook
from mlops_pipeline_tests.monitoring.prometheus import DEPLOY
from mlops_pipeline_tests.programs import installed

ROOT = DEPLOY.parent
RULES = DEPLOY / "prometheus" / "rules"
Rule = dict[str, Any]
FLIPPED = {">": "<=", "<": ">=", "==": "!="}


def rules(name: str) -> list[Rule]:
    found: list[Rule] = yaml.safe_load((RULES / name).read_text())["groups"][0]["rules"]
    return found


ALERTS = {str(rule["alert"]): rule for rule in rules("alerts.yml")}
RECORDED = {str(rule["record"]): rule for rule in rules("recording.yml")}
PATIENT = {name for name, rule in ALERTS.items() if rule["for"] != "0m"}


def removed(rule: Rule) -> Rule | None:
    return None


def negated(rule: Rule) -> Rule:
    words = " ".join(FLIPPED.get(word, word) for word in rule["expr"].split())
    assert words != rule["expr"], "nothing to negate"
    return {**rule, "expr": words}


def impatient(rule: Rule) -> Rule:
    return {**rule, "for": "0m"}


def late(rule: Rule) -> Rule:
    return {**rule, "for": "3h"}


def promtool(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            installed("promtool", package="prometheus"),
            "test",
            "rules",
            str(folder / "tests" / "alerts.yml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def failed(folder: Path, file: str, spoil: Callable[[Rule], Rule | None]) -> set[str]:
    """The alerts and records whose tests fail once every rule of the file is spoilt.

    Each test counts its own alert alone, so that all of them can be spoilt at once.
    """
    shutil.copytree(DEPLOY / "prometheus", folder, dirs_exist_ok=True)
    path = folder / "rules" / file
    whole = yaml.safe_load(path.read_text())
    group = whole["groups"][0]
    spoilt = [spoil(rule) for rule in group["rules"]]
    group["rules"] = [rule for rule in spoilt if rule is not None]
    path.write_text(yaml.safe_dump(whole))
    done = promtool(folder)
    said = (done.stdout + done.stderr).replace("\\", "")
    assert done.returncode == 0 or "got:" in said, said  # tests failed, not promtool
    return {*re.findall(r'alertname="(\w+)"', said), *re.findall(r'expr: "(model:\w+:\w+)"', said)}


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    done = promtool(DEPLOY / "prometheus")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_both_ways() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "tests" / "alerts.yml").read_text())["tests"]
    names = {test["name"] for test in tests}
    for alert in ALERTS:
        assert {f"{alert} fires", f"{alert} stays silent"} <= names


@pytest.mark.parametrize("spoil", [removed, negated])
def test_every_alert_that_is_broken_on_purpose_fails_its_test(
    tmp_path: Path, spoil: Callable[[Rule], Rule | None]
) -> None:
    assert failed(tmp_path, "alerts.yml", spoil) == set(ALERTS)


@pytest.mark.parametrize("spoil", [impatient, late])
def test_every_alert_that_lost_its_patience_or_its_voice_fails_its_test(
    tmp_path: Path, spoil: Callable[[Rule], Rule | None]
) -> None:
    assert failed(tmp_path, "alerts.yml", spoil) >= PATIENT


def test_every_record_that_is_removed_fails_its_test(tmp_path: Path) -> None:
    assert failed(tmp_path, "recording.yml", removed) >= set(RECORDED)


def test_every_alert_every_cause_and_every_notice_of_a_rollout_has_its_runbook() -> None:
    named = [str(rule["annotations"]["runbook_url"]) for rule in ALERTS.values()]
    named += [f"docs/runbooks/{page}.md" for page in Runbook]
    for path in [*named, *(runbook(cause) for cause in Cause)]:
        assert (ROOT / path).is_file(), path


def test_every_runbook_says_what_to_look_at_and_what_to_type() -> None:
    for path in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        text = path.read_text()
        parts = ("**What it means.**", "**Look.**", "**Do.**", "**Over when.**", "`mlops ")
        assert [part for part in parts if part not in text] == [], path.name
