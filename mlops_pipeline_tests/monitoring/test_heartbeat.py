"""A daemon that falls silent is missed by others, who tell it themselves."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_pipeline.cli.machine import State, daemon
from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.monitoring.heartbeat import SILENT_AFTER, beat, look, watching
from mlops_pipeline.settings import Settings, read_settings
from mlops_pipeline_tests.monitoring.rows import NOON
from mlops_pipeline_tests.monitoring.webhook import webhook

LATER = NOON + SILENT_AFTER + timedelta(seconds=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"MLOPS_HOME": str(tmp_path / "home")})


def open_causes(settings: Settings) -> list[str]:
    engine = open_ledger(settings.ledger_url)
    with reading(engine) as view:
        found = [one.cause for one in incidents.open_incidents(view)]
    engine.dispose()
    return found


def test_where_no_daemon_ever_ran_nobody_is_missed(settings: Settings) -> None:
    assert not look(settings, NOON)
    assert daemon(settings.home, NOON).state is State.OK


def test_a_beat_that_is_fresh_is_no_incident(settings: Settings) -> None:
    beat(settings.home, NOON)
    assert not look(settings, NOON + SILENT_AFTER)
    assert open_causes(settings) == []


def test_silence_is_told_by_the_one_who_misses_the_beat_and_resolved_when_it_is_back(
    settings: Settings,
) -> None:
    beat(settings.home, NOON)
    with webhook() as hook:
        watched = replace(settings, alert_urls=(hook.url,))
        assert look(watched, LATER)
    assert [message["title"] for message in hook.received] == ["[critical] fleet: daemon_silent"]
    assert daemon(settings.home, LATER).state is State.WARN
    beat(settings.home, LATER)
    assert not look(settings, LATER)
    assert open_causes(settings) == []


def test_the_watch_beside_the_node_sees_it(settings: Settings) -> None:
    beat(settings.home, datetime.now(UTC) - 2 * SILENT_AFTER)
    give_up = time.monotonic() + 20
    with watching(settings, every=0.05):
        while not open_causes(settings) and time.monotonic() < give_up:
            time.sleep(0.05)
    assert open_causes(settings) == ["daemon_silent"]
