"""Where state lives: the environment, read once at an edge, as typed settings.

| variable | meaning | default |
|---|---|---|
| `MLOPS_HOME` | the one folder of all state, safe to delete | `.mlops` in the working directory |
| `MLOPS_LEDGER_URL` | SQLAlchemy URL of the ledger | SQLite in the home |
| `MLFLOW_TRACKING_URI` | MLflow's tracking and registry store | SQLite in the home |
| `MLOPS_CONTRACTS` | folders of `*/contract.yaml`, parted by `:` | this package's models |
| `MLOPS_RUNTIME_DIR` | short folder for unix sockets | in `XDG_RUNTIME_DIR`, or in `/tmp` |
| `MLOPS_PORT` | the port at which Envoy serves on loopback | 8080 |
| `MLOPS_EDGE` | where clients from elsewhere come in: `0.0.0.0:8443` | nowhere |
| `MLOPS_EDGE_KEYS` | file of their API keys, mode 0600: `client key [requests a second]` | none |
| `MLOPS_EDGE_TLS` | files of certificate chain and private key, parted by `:` | none |
| `MLOPS_EDGE_RATE` | requests a second of one client | 1000 |
| `MLOPS_EDGE_CONNECTIONS` | connections of all clients together | 1000 |
| `MLOPS_OTLP_ENDPOINT` | an OpenTelemetry collector: `http://127.0.0.1:4318` | none |
| `MLOPS_OTLP_SHARE` | the share of traces that it gets | 0.01 |
| `MLOPS_ALERT_URLS` | Apprise URLs that alerts go to, separated by spaces | none |
| `DAGSTER_URL` | the webserver that `mlops ci` speaks to | `http://127.0.0.1:3000` |
| `MLOPS_DRILL` | `model/version:fault`, a version that shall fail; scratch only | none |
| `MLOPS_PROFILE` | `production`, or `scratch`: its pointers serve nobody | `production` |
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_pipeline.edge import Edge, read_edge
from mlops_pipeline.errors import SettingsError
from mlops_pipeline.tracing import Collector, read_collector

SOCKET_PATH_LIMIT = 107  # bytes of sun_path on Linux, less the closing zero
PACKAGE_MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class Drill:
    """A version that is served with a fault on purpose, to rehearse a rollback."""

    model: str
    version: str
    fault: str  # as `mlops_pipeline.serving.faults` reads it


@dataclass(frozen=True, slots=True)
class Settings:
    """Every place and address that the rooms are given; all paths are absolute."""

    home: Path
    ledger_url: str
    mlflow_uri: str
    contract_folders: tuple[Path, ...]
    runtime_dir: Path
    port: int
    alert_urls: tuple[str, ...]
    dagster_url: str
    profile: Literal["production", "scratch"]
    drill: Drill | None = None
    edge: Edge | None = None
    collector: Collector | None = None

    @property
    def objects(self) -> Path:
        """The content-addressed store: snapshots, features, candidates, reports, bundles."""
        return self.home / "objects"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow keeps artifacts."""
        return self.home / "mlflow" / "artifacts"

    @property
    def bundles(self) -> Path:
        """Unpacked, verified bundles, one folder per tree digest; servers load from here."""
        return self.home / "bundles"

    @property
    def feature_snapshots(self) -> Path:
        """Online look-up tables, `<model>/<definition digest>/`."""
        return self.home / "features"

    @property
    def request_log(self) -> Path:
        """Prediction records, `<model>/<version>/`."""
        return self.home / "requests"

    @property
    def labels(self) -> Path:
        """Labels that arrived after their predictions, `<model>/`."""
        return self.home / "labels"

    @property
    def keys(self) -> Path:
        """Signing keys of this installation, mode 0700."""
        return self.home / "keys"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def node_socket(self) -> Path:
        """The serving node's control socket, mode 0600."""
        return self.runtime_dir / "node.sock"

    def __repr__(self) -> str:
        """Show where things live, never a credential."""
        return f"Settings(home={str(self.home)!r}, port={self.port}, profile={self.profile!r})"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings read from `environ` (default: the process's), checked.

    Raises:
        SettingsError: a value is unusable; the message names the variable and the value.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("MLOPS_HOME", ".mlops")).expanduser().resolve()
    if home.exists() and not home.is_dir():
        raise SettingsError(f"MLOPS_HOME={home} is a file; name a folder")
    runtime = _runtime_dir(env, home)
    return Settings(
        home=home,
        ledger_url=env.get("MLOPS_LEDGER_URL") or f"sqlite:///{home / 'ledger.db'}",
        mlflow_uri=env.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
        contract_folders=_folders(env),
        runtime_dir=runtime,
        port=_port(env.get("MLOPS_PORT", "8080")),
        alert_urls=tuple(env.get("MLOPS_ALERT_URLS", "").split()),
        dagster_url=env.get("DAGSTER_URL", "http://127.0.0.1:3000").rstrip("/"),
        profile=_profile(env.get("MLOPS_PROFILE", "production")),
        drill=_drill(env),
        edge=read_edge(env),
        collector=read_collector(env),
    )


def _runtime_dir(env: Mapping[str, str], home: Path) -> Path:
    named = env.get("MLOPS_RUNTIME_DIR")
    if named:
        folder = Path(named).expanduser().resolve()
    else:
        mark = hashlib.sha256(str(home).encode()).hexdigest()[:10]
        private = _private_runtime(env)
        folder = private / f"mlops-{mark}" if private else _in_temporary(mark)
    room = SOCKET_PATH_LIMIT - len("/envoy-admin.sock")
    if len(os.fsencode(folder)) > room:
        raise SettingsError(
            f"MLOPS_RUNTIME_DIR={folder} is {len(os.fsencode(folder))} bytes long; "
            f"unix sockets need at most {room}: name a shorter folder"
        )
    return folder


def _private_runtime(env: Mapping[str, str]) -> Path | None:
    """The user's own runtime folder, which no cleaner of temporary files looks at, where usable."""
    named = env.get("XDG_RUNTIME_DIR")
    if not named:
        return None
    folder = Path(named)
    try:
        found = folder.stat()
    except OSError:
        return None
    room = SOCKET_PATH_LIMIT - len("/mlops-0123456789/envoy-admin.sock")
    ours = folder.is_dir() and found.st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK)
    short = folder.is_absolute() and len(os.fsencode(folder)) <= room
    return folder if ours and short else None


def _in_temporary(mark: str) -> Path:
    return Path(tempfile.gettempdir()) / f"mlops-{os.getuid()}-{mark}"


def _folders(env: Mapping[str, str]) -> tuple[Path, ...]:
    named = env.get("MLOPS_CONTRACTS")
    if not named:
        return (PACKAGE_MODELS,)
    folders = tuple(Path(part).expanduser().resolve() for part in named.split(":") if part)
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError(f"MLOPS_CONTRACTS names {folder}, which is no folder")
    return folders


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"MLOPS_PORT={text!r} is no port: give a number from 1 to 65535")
    return int(text)


def _profile(text: str) -> Literal["production", "scratch"]:
    if text == "production":
        return "production"
    if text == "scratch":
        return "scratch"
    raise SettingsError(f"MLOPS_PROFILE={text!r}: say 'production' or 'scratch'")


def _drill(env: Mapping[str, str]) -> Drill | None:
    text = env.get("MLOPS_DRILL")
    if not text:
        return None
    version, _, fault = text.partition(":")
    model, _, number = version.partition("/")
    if not (model and number and fault):
        raise SettingsError(f"MLOPS_DRILL={text!r}: write it as flight_delay/3:error=0.4")
    if env.get("MLOPS_PROFILE") != "scratch":
        raise SettingsError(
            f"MLOPS_DRILL={text!r} would harm users: it needs MLOPS_PROFILE=scratch"
        )
    return Drill(model, number, fault)
