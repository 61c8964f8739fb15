"""Alertmanager's configuration is accepted by it, and brings each alert where it belongs."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from mlops_pipeline_tests.e2e.conftest import free_port
from mlops_pipeline_tests.monitoring.prometheus import DEPLOY, prometheus, running
from mlops_pipeline_tests.monitoring.test_rules import ALERTS
from mlops_pipeline_tests.monitoring.webhook import Webhook, webhook
from mlops_pipeline_tests.programs import installed

PACKAGE = "prometheus-alertmanager"
CONFIG = DEPLOY / "prometheus" / "alertmanager.yml"


def amtool(*words: str) -> str:
    done = subprocess.run(
        [installed("amtool", package=PACKAGE), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_the_configuration_is_one_that_alertmanager_takes() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("name", ALERTS)
def test_the_person_on_call_hears_of_what_nobody_told_yet(name: str) -> None:
    rule = ALERTS[name]
    labels = [f"alertname={name}", f"severity={rule['labels']['severity']}", "model=m"]
    reached = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    ours = "mlops_incidents_open" in rule["expr"]  # an incident, which Apprise has delivered
    assert reached == ("told_by_mlops" if ours else "on_call")


@contextmanager
def alertmanager(folder: Path, hook: Webhook) -> Iterator[str]:
    """It runs with our configuration, but for its patience and the address of the person."""
    config = yaml.safe_load(CONFIG.read_text())
    config["route"]["group_wait"] = "1s"
    (person,) = config["receivers"][0]["webhook_configs"]
    person["url"] = hook.url.replace("json://", "http://")
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    argv = [
        installed("prometheus-alertmanager", package=PACKAGE),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with running(argv, f"http://127.0.0.1:{port}/-/ready"):
        yield f"127.0.0.1:{port}"


@pytest.mark.slow
def test_a_node_that_is_down_reaches_the_person_and_silences_what_follows_from_it(
    tmp_path: Path,
) -> None:
    """From Prometheus' own rule, over Alertmanager, to a webhook."""
    rules = tmp_path / "rules"
    shutil.copytree(DEPLOY / "prometheus" / "rules", rules)
    hasty = (rules / "alerts.yml").read_text().replace("for: 1m", "for: 0m")
    (rules / "alerts.yml").write_text(hasty)
    nobody = f"127.0.0.1:{free_port()}"
    with (
        webhook() as hook,
        alertmanager(tmp_path, hook) as manager,
        prometheus(tmp_path, nobody, rules=rules, alertmanager=manager),
    ):
        give_up = time.monotonic() + 60
        while not hook.received:
            assert time.monotonic() < give_up, "nobody was told"
            time.sleep(0.1)
        url = f"--alertmanager.url=http://{manager}"
        for other in ("HostNotReady", "DataOutage", "Drift"):
            amtool("alert", "add", url, f"alertname={other}", "severity=critical", "model=m")
        silenced = amtool("alert", "query", url, "--inhibited", "-o", "simple")
    (alert,) = hook.received[0]["alerts"]
    assert alert["labels"]["alertname"] == "NodeDown"
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/node_down.md"
    assert {word for word in ("HostNotReady", "Drift", "DataOutage") if word in silenced} == {
        "HostNotReady",
        "Drift",
    }
