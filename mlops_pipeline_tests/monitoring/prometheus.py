"""Programs of Debian's packages, run with what is configured for them under `deploy/`."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from mlops_pipeline_tests.e2e.conftest import free_port
from mlops_pipeline_tests.programs import installed

DEPLOY = Path(__file__).parents[2] / "deploy"


@contextmanager
def prometheus(
    folder: Path, target: str, *, rules: Path | None = None, alertmanager: str | None = None
) -> Iterator[str]:
    """Prometheus with our configuration, looking often; its address.

    Args:
        target: host and port of what it looks at.
        rules: a folder of rules, where they are not our own.
        alertmanager: host and port of where alerts go; without one nowhere.
    """
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "3s", "evaluation_interval": "3s"}
    config["rule_files"] = [str((rules or DEPLOY / "prometheus" / "rules") / "*.yml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    if alertmanager is None:
        config.pop("alerting")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    argv = [
        installed("prometheus", package="prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=2s",  # the first may come before Alertmanager is known
        "--log.level=error",
    ]
    with running(argv, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(argv: list[str], ready: str) -> Iterator[None]:
    """The program runs, and its page `ready` answers."""
    process = subprocess.Popen(argv)
    try:
        until_up(ready, process)
        yield
    finally:
        process.terminate()
        process.wait(20)


def until_up(url: str, process: "subprocess.Popen[bytes]") -> None:
    """The page answers; fails where the process ended, or after a minute."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        assert process.poll() is None, f"{url}: it ended with {process.returncode}"
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail(f"{url} is not up")
