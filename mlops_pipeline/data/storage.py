"""Files by path or URL through obstore, its only importer: local folders, S3, GCS and Azure alike.

Credentials and endpoints come from the environment in each cloud's own words (`AWS_ACCESS_KEY_ID`,
`AWS_ENDPOINT_URL`, …) and never appear in a message.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.store import from_url

from mlops_pipeline.errors import SourceError

PATIENCE = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
REQUEST = {"timeout": "60s", "connect_timeout": "5s"}
SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"(\w://[^\s:/@]*:)([^\s@/]+)(@)")
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
MASK = "•••"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is there; `place` is its URL."""

    place: str
    content: bytes


def read_files(location: str, suffixes: tuple[str, ...]) -> list[StoredFile]:
    """The file at `location`; where that ends with `/`, every file below with such a suffix.

    Raises:
        SourceError: it cannot be reached or read, or there is none.
    """
    url = _url(location)
    folder, _, name = url.rpartition("/")
    try:
        store = _store(folder)
        names = [name] if name else _names_below(store, suffixes)
        files = [
            StoredFile(f"{folder}/{found}", bytes(obstore.get(store, found).bytes()))
            for found in names
        ]
    except FileNotFoundError:
        raise SourceError(f"{url}: there is no such file") from None
    except (OSError, ValueError, obstore.exceptions.BaseError) as error:
        # Without its cause: the client's own text may hold what was sent.
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{url}: cannot be read: {without_secrets(first)}") from None
    if not files:
        raise SourceError(f"{url}: no file ends with {' or '.join(suffixes)}")
    return files


def expand(location: str, environ: Mapping[str, str] | None = None) -> str:
    """The location with `$NAME` and `${NAME}` replaced from the environment.

    Raises:
        SourceError: a variable is not set.
    """
    env = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not env.get(name):
            raise SourceError(f"location {location}: ${name} is not set in the environment")
        return env[name]

    return VARIABLE.sub(value, location)


def without_secrets(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text with every credential masked: passwords in URLs, and values of secret variables."""
    env = os.environ if environ is None else environ
    for name, value in env.items():
        if SECRET_NAME.search(name) and len(value) >= 4:
            text = text.replace(value, MASK)
    return PASSWORD_IN_URL.sub(rf"\1{MASK}\3", text)


def _url(location: str) -> str:
    expanded = expand(location)
    if "://" in expanded:
        return expanded
    path = Path(expanded).expanduser().resolve()
    return path.as_uri() + ("/" if expanded.endswith("/") else "")


def _store(folder: str) -> Any:
    if folder.startswith("file:"):
        if not Path(folder.removeprefix("file://")).is_dir():
            raise FileNotFoundError(folder)
        return from_url(folder)
    options: dict[str, Any] = dict(REQUEST)
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes"):
        options["allow_http"] = True
    return from_url(folder, client_options=options, retry_config=PATIENCE)  # type: ignore[call-overload]


def _names_below(store: Any, suffixes: tuple[str, ...]) -> list[str]:
    found = (meta["path"] for chunk in obstore.list(store) for meta in chunk)
    return sorted(name for name in found if name.endswith(suffixes))
