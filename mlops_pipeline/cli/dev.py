"""`mlops dev`: Dagster, MLflow and the serving node side by side on loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import psutil
from rich.console import Console

from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.reaper import clear_lost_runs
from mlops_pipeline.errors import SettingsError
from mlops_pipeline.settings import Settings, read_settings

WORKSPACE = Path(__file__).parent.parent.parent / "workspace.yaml"
DEMO_MARK = "demo"
PATIENCE = 15.0  # seconds that a child has to end before it is killed


@dataclass(frozen=True, slots=True)
class Service:
    """One child: what it is called, how it starts, where people find it."""

    name: str
    command: tuple[str, ...]
    address: str


@click.command()
@click.option("--dagster-port", default=3000, show_default=True)
@click.option("--mlflow-port", default=5000, show_default=True)
def dev(dagster_port: int, mlflow_port: int) -> None:
    """Start Dagster, MLflow and the serving node together; Ctrl-C stops them all."""
    settings = read_settings()
    if (settings.home / DEMO_MARK).is_dir():  # its sensors were driven by hand; leave them so
        os.environ.setdefault("MLOPS_PROFILE", "scratch")
    for port in (dagster_port, mlflow_port, settings.port):
        _free(port)
    from mlops_pipeline.registry.mlflow import open_registry

    open_registry(settings).prepare()
    # Opened once before the children: two openers of a fresh SQLite store race in its migrations.
    instance = open_instance(settings)
    lost = clear_lost_runs(instance, str(settings.dagster_home))
    instance.dispose()
    if lost:
        click.echo(f"{len(lost)} runs had lost their worker and are marked as failed", err=True)
    run_together(services(settings, dagster_port, mlflow_port), os.environ)


def services(settings: Settings, dagster_port: int, mlflow_port: int) -> tuple[Service, ...]:
    """The three children and their addresses."""
    python = (sys.executable, "-m")
    loopback = "http://127.0.0.1"
    return (
        Service(
            "Dagster",
            (
                *python,
                *("dagster", "dev", "--workspace", str(WORKSPACE)),
                *("--host", "127.0.0.1", "--port", str(dagster_port)),
            ),
            f"{loopback}:{dagster_port}",
        ),
        Service(
            "MLflow",
            (
                *python,
                *("mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port)),
                *("--backend-store-uri", settings.mlflow_uri, "--workers", "1"),
                *("--default-artifact-root", settings.mlflow_artifacts.as_uri()),
            ),
            f"{loopback}:{mlflow_port}",
        ),
        Service(
            "Serving",
            (*python, "mlops_pipeline.cli.main", "serve"),
            f"{loopback}:{settings.port}",
        ),
    )


def run_together(
    wanted: tuple[Service, ...],
    environment: Mapping[str, str],
    announce: Callable[[str], None] | None = None,
) -> None:
    """The services run until one of them ends or a signal comes; then none is left.

    Raises:
        SettingsError: a service ended by itself; the message names it and its exit status.
    """
    say = announce or Console(highlight=False).print
    stop = {"asked": False}

    def ask(number: int, frame: object) -> None:
        stop["asked"] = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    children = {s.name: _start(s, environment) for s in wanted}
    for service in wanted:
        say(f"{service.name:<10} {service.address}")
    say("Ctrl-C stops them all.")
    try:
        while not stop["asked"]:
            for name, child in children.items():
                if child.poll() is not None:
                    raise SettingsError(f"{name} ended with status {child.returncode}; see above")
            time.sleep(0.2)
    finally:
        _stop(tuple(children.values()))
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(service: Service, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A shell in the background hands SIGINT down ignored, and Dagster stops its own children by it.
    return subprocess.Popen(
        service.command,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _stop(children: tuple[subprocess.Popen[bytes], ...]) -> None:
    """Every child and what it started is gone: asked first, then killed."""
    families = [p for c in children for p in _family(c.pid)]
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)
    _, alive = psutil.wait_procs(families, timeout=PATIENCE)
    for process in alive:
        process.kill()
    for child in children:
        child.wait()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _free(port: int) -> None:
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN":
            raise SettingsError(f"port {port} is taken by process {connection.pid}: end it first")
