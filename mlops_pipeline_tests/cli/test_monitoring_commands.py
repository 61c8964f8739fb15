"""`mlops incidents`, `alerts`, `retrain`, `report`: what a person on call types."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from mlops_pipeline.cli.main import main
from mlops_pipeline.ledger import incidents, retrains
from mlops_pipeline.ledger.store import open_ledger, reading, transaction
from mlops_pipeline.monitoring.causes import Cause, tell
from mlops_pipeline_tests.monitoring.webhook import webhook

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = "flight_delay"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    engine = open_ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    yield engine
    engine.dispose()


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def raised(ledger: Engine) -> int:
    with transaction(ledger) as tx:
        return tell(
            tx,
            MODEL,
            Cause.DRIFT,
            owner="team:flights",
            summary="flight_delay drifts in 2013-06: temp",
            detail={"value": 0.8, "limit": 0.3},
            now=NOW,
        ).id


def test_nothing_open_is_exit_code_zero(ledger: Engine) -> None:
    found = run("incidents", "list")
    assert (found.exit_code, found.stdout.strip()) == (0, "nothing is open")


def test_an_incident_goes_from_open_to_acknowledged_to_resolved(ledger: Engine) -> None:
    number = raised(ledger)
    listed = run("incidents", "list", "--json")
    assert listed.exit_code == 1
    (one,) = told(listed)["incidents"]
    assert (one["cause"], one["state"], one["told"]) == ("drift", "open", False)
    assert "docs/runbooks/drift.md" in run("incidents", "show", str(number)).stdout
    assert run("incidents", "ack", str(number)).exit_code == 0
    assert told(run("incidents", "list", "--json"))["incidents"][0]["state"] == "acknowledged"
    assert run("incidents", "resolve", str(number), "--reason", "the feed is back").exit_code == 0
    assert run("incidents", "list").exit_code == 0
    assert told(run("incidents", "list", "--all", "--json"))["incidents"][0]["state"] == "resolved"


def test_the_critical_comes_first_with_its_age_and_what_to_read(ledger: Engine) -> None:
    number = raised(ledger)
    with transaction(ledger) as tx:
        tell(
            tx, "flight_delay", Cause.OUTAGE, owner="team:flights", summary="temp stays away",
            detail={"n": 7, "value": 0.61234, "metric": "missing"},
            now=datetime.now(UTC) - timedelta(hours=26),
        )  # fmt: skip
    lines = run("incidents").stdout.splitlines()
    head = " ".join(lines[0].split())
    assert head == "2 critical flight_delay: data_outage (open, for 1 d 2 h)"
    assert lines[1].strip() == "temp stays away"
    assert lines[2].strip() == "-> mlops incidents show 2, docs/runbooks/data_outage.md"
    assert lines[3].strip() == "nobody was told: not tried yet"
    assert f"{number}  warning" in lines[4]
    shown = [line.strip() for line in run("incidents", "show", "2").stdout.splitlines()]
    assert shown.index("metric: missing") < shown.index("value: 0.6123") < shown.index("n: 7")
    assert "say that you have it: mlops incidents ack 2" in shown
    run("incidents", "ack", "2")
    assert f"(acknowledged by {getuser()}, for 1 d 2 h)" in run("incidents").stdout


def test_an_incident_that_is_not_there_is_an_error(ledger: Engine) -> None:
    found = run("incidents", "ack", "9")
    assert found.exit_code == 3
    assert "no incident has the number 9" in found.stderr


def test_a_test_alert_takes_the_whole_way(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv("MLOPS_ALERT_URLS", hook.url)
        found = run("alerts", "test", "--json")
    assert (found.exit_code, told(found)["ok"]) == (0, True)
    titles = [message["title"] for message in hook.received]
    assert titles == ["[warning] fleet: test_alert", "[resolved] fleet: test_alert"]
    with reading(ledger) as view:
        assert incidents.open_incidents(view) == ()


def test_a_test_alert_that_is_refused_says_so(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as hook:
        hook.statuses = [500, 500]
        monkeypatch.setenv("MLOPS_ALERT_URLS", hook.url)
        assert run("alerts", "test").exit_code == 3
    waiting = run("alerts", "waiting", "--json")
    assert waiting.exit_code == 1
    assert [row["attempts"] for row in told(waiting)["waiting"]] == [1, 1]


def test_a_test_alert_without_a_destination_is_a_mistake_of_the_settings(ledger: Engine) -> None:
    found = run("alerts", "test")
    assert found.exit_code == 4
    assert "set MLOPS_ALERT_URLS" in found.stderr


def test_a_persons_request_shows_its_reason_chain(ledger: Engine) -> None:
    asked = run("retrain", "request", MODEL, "--reason", "new airports", "--as-of", "2013-07-01")
    assert asked.exit_code == 0
    found = told(run("retrain", "status", MODEL, "--json"))
    (request,) = found["requests"]
    assert "new airports" in request["reasons"][0]["finding"]
    assert request["reasons"][0]["as_of"] == "2013-07-01"
    assert found["runs"] == {"used": 0, "of": 8}
    assert "new airports" in run("retrain", "status", MODEL).stdout


def test_the_status_says_what_would_become_of_the_next_wish(ledger: Engine) -> None:
    assert "the next wish would be granted" in run("retrain", "status", MODEL).stdout
    run("retrain", "request", MODEL, "--reason", "new airports")
    assert "the next wish would join request 1" in run("retrain", "status", MODEL).stdout
    with transaction(ledger) as tx:
        retrains.close(tx, 1, outcome="promote", now=datetime.now(UTC))
    said = run("retrain", "status", MODEL).stdout
    assert "the next wish would not be granted: cooling_down: the last request" in said


def test_a_request_that_a_rule_stands_against_is_exit_code_one(ledger: Engine) -> None:
    for _ in range(3):
        run("retrain", "request", MODEL, "--reason", "again")
        with transaction(ledger) as tx:
            request = retrains.open_request(tx, MODEL)
            assert request is not None
            retrains.close(tx, request.id, outcome="hold", now=datetime.now(UTC))
    refused = run("retrain", "request", MODEL, "--reason", "again", "--json")
    assert (refused.exit_code, told(refused)["rule"]) == (1, "no_gain")
    assert run("retrain", "resume", MODEL, "--reason", "new features").exit_code == 0
    assert run("retrain", "request", MODEL, "--reason", "again").exit_code == 0


def test_the_live_page_stands_without_anything_to_show(ledger: Engine) -> None:
    raised(ledger)
    page = Path(told(run("report", "live", "--json"))["page"]).read_text()
    assert "flight_delay drifts in 2013-06: temp" in page
    assert "Nobody has looked at its performance yet" in page
