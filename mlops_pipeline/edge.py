"""Where clients from elsewhere come in: the `MLOPS_EDGE…` variables, as one typed record."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_pipeline.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A client's key. Two keys of one client share its rate: so that they can be exchanged."""

    client: str
    secret: str = field(repr=False)
    rate: float | None = None  # requests a second, where it differs from the others'


@dataclass(frozen=True, slots=True)
class Edge:
    """The listener for clients from elsewhere."""

    host: str
    port: int
    keys: tuple[ApiKey, ...] = ()  # none: everybody on this machine
    rate: float = 1000.0
    connections: int = 1000
    certificate: Path | None = None
    private_key: Path | None = None


def read_edge(env: Mapping[str, str]) -> Edge | None:
    """Refuses to listen to other machines without keys and TLS."""
    text = env.get("MLOPS_EDGE")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise SettingsError(f"MLOPS_EDGE={text!r}: write it as 0.0.0.0:8443") from None
    keys = _keys(env.get("MLOPS_EDGE_KEYS"))
    certificate, private_key = _tls(env.get("MLOPS_EDGE_TLS"))
    if not address.is_loopback and not (keys and certificate):
        raise SettingsError(
            f"MLOPS_EDGE={text!r} lets other machines in: set MLOPS_EDGE_KEYS and MLOPS_EDGE_TLS, "
            "or listen on 127.0.0.1"
        )
    return Edge(
        host=str(address),
        port=_number(env, "MLOPS_EDGE", port, most=65_535),
        keys=keys,
        rate=_number(env, "MLOPS_EDGE_RATE", env.get("MLOPS_EDGE_RATE", "1000")),
        connections=_number(
            env, "MLOPS_EDGE_CONNECTIONS", env.get("MLOPS_EDGE_CONNECTIONS", "1000")
        ),
        certificate=certificate,
        private_key=private_key,
    )


def _keys(named: str | None) -> tuple[ApiKey, ...]:
    """The keys in the file; a message never repeats one."""
    if not named:
        return ()
    path = Path(named)
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"MLOPS_EDGE_KEYS={named} can be read by others: chmod 600 {named}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"MLOPS_EDGE_KEYS={named}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        rate = words[2] if len(words) == 3 else "1"
        if len(words) not in (2, 3) or len(words[1]) < 16 or not rate.isdigit() or not int(rate):
            raise SettingsError(
                f"{named}:{number}: write `client key [requests a second]`, "
                "with a key of at least 16 characters"
            )
        found.append(ApiKey(words[0], words[1], int(rate) if len(words) == 3 else None))
    secrets = [key.secret for key in found]
    if not found or len(set(secrets)) != len(secrets):
        raise SettingsError(f"MLOPS_EDGE_KEYS={named} holds no key, or one twice")
    return tuple(found)


def _tls(named: str | None) -> tuple[Path | None, Path | None]:
    if not named:
        return None, None
    paths = [Path(part).expanduser().resolve() for part in named.split(":")]
    if len(paths) != 2 or not all(path.is_file() for path in paths):
        raise SettingsError(f"MLOPS_EDGE_TLS={named!r}: name two files, chain.pem:key.pem")
    return paths[0], paths[1]


def _number(env: Mapping[str, str], name: str, text: str, most: int = 1_000_000) -> int:
    if not text.isdigit() or not 0 < int(text) <= most:
        raise SettingsError(f"{name}={env.get(name)!r}: {text!r} is no number from 1 to {most}")
    return int(text)
