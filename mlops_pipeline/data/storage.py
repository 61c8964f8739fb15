"""Files by path or URL through obstore, its only importer: local folders, S3, GCS and Azure alike.

Credentials and endpoints come from the environment in each cloud's own words (`AWS_ACCESS_KEY_ID`,
`AWS_ENDPOINT_URL`, …) and never appear in a message. No file may be larger than `MAX_BYTES`.
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
IN_URL = re.compile(r"(?<!file)(://)\S*@")  # to the last @: a password may hold one itself
SIGNED = re.compile(r"([?&][\w-]*(?:sig|signature|token|key|secret|credential)=)[^&\s]+", re.I)
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
MASK = "•••"
MAX_BYTES = 4 << 30  # of one file, also after inflation: a run has no more memory than that


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is there; `place` is its URL, without credentials."""

    place: str
    content: bytes


def read_files(location: str, suffixes: tuple[str, ...]) -> list[StoredFile]:
    """The file at `location`; where that ends with `/`, every file below with such a suffix.

    Raises:
        SourceError: it cannot be reached or read, or there is none.
    """
    url = _url(location)
    shown = without_secrets(url)
    folder, _, name = url.rpartition("/")
    try:
        store = _store(folder)
        names = [name] if name else _names_below(store, suffixes)
        files = [StoredFile(without_secrets(f"{folder}/{n}"), _content(store, n)) for n in names]
    except FileNotFoundError:
        raise SourceError(f"{shown}: there is no such file") from None
    except (OSError, ValueError, obstore.exceptions.BaseError) as error:
        # Without its cause: the client's own text may hold what was sent.
        hint = "" if url.startswith("file:") else "; does the environment hold the credentials?"
        raise SourceError(f"{shown}: cannot be read: {first_line(error)}{hint}") from None
    if not files:
        raise SourceError(f"{shown}: no file ends with {' or '.join(suffixes)}")
    return files


def expand(location: str, environ: Mapping[str, str] | None = None) -> str:
    """The location with `$NAME` and `${NAME}` replaced from the environment.

    Raises:
        SourceError: a variable is not set, or holds a credential by its name: a place has none.
    """
    env = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if SECRET_NAME.search(name):
            raise SourceError(
                f"location {location}: ${name} is a credential by its name, and no part of a place"
            )
        if not env.get(name):
            raise SourceError(f"location {location}: ${name} is not set in the environment")
        return env[name]

    return VARIABLE.sub(value, location)


def without_secrets(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text with every credential masked: those in URLs, and values of secret variables."""
    env = os.environ if environ is None else environ
    for name, value in env.items():
        if SECRET_NAME.search(name) and len(value) >= 4:
            text = text.replace(value, MASK)
    return SIGNED.sub(rf"\1{MASK}", IN_URL.sub(rf"\1{MASK}@", text))


def first_line(error: Exception) -> str:
    """What an error says first, or its kind where it says nothing; credentials masked."""
    return without_secrets((str(error) or type(error).__name__).splitlines()[0])


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


def _content(store: Any, name: str) -> bytes:
    found = obstore.get(store, name)
    if found.meta["size"] > MAX_BYTES:
        raise ValueError(f"{found.meta['size']} bytes, more than {MAX_BYTES}; split the file")
    return bytes(found.bytes())


def _names_below(store: Any, suffixes: tuple[str, ...]) -> list[str]:
    found = (meta["path"] for chunk in obstore.list(store) for meta in chunk)
    return sorted(name for name in found if name.endswith(suffixes))
