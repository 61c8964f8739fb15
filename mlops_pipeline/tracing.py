"""Where spans go: the `MLOPS_OTLP…` variables, as one typed record.

Trace ids are made in any case; without a collector no span leaves the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlops_pipeline.errors import SettingsError

SHARE = "0.01"  # of all requests, where nobody says otherwise


@dataclass(frozen=True, slots=True)
class Collector:
    """An OpenTelemetry collector that takes OTLP over HTTP, and the share of traces it gets."""

    host: str
    port: int
    path: str
    share: float


def read_collector(env: Mapping[str, str]) -> Collector | None:
    """The collector that the environment names, if it names one.

    Raises:
        SettingsError: address or share are unusable.
    """
    text = env.get("MLOPS_OTLP_ENDPOINT")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port or 4318
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise SettingsError(
            f"MLOPS_OTLP_ENDPOINT={text!r}: write it as http://127.0.0.1:4318; a collector near "
            "the node speaks TLS to those far away"
        )
    return Collector(parts.hostname, port, f"{parts.path.rstrip('/')}/v1/traces", _share(env))


def _share(env: Mapping[str, str]) -> float:
    text = env.get("MLOPS_OTLP_SHARE") or SHARE
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise SettingsError(f"MLOPS_OTLP_SHARE={text!r}: a share above 0, at most 1")
    return share
