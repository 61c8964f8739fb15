"""The key by which testers choose a version; users cannot, whatever headers they send."""

import secrets
from pathlib import Path

from mlops_pipeline.data.objects import write_once
from mlops_pipeline.settings import Settings


def tester_key(settings: Settings) -> str:
    """This installation's key, made when it is asked for first; only its owner can read it."""
    path = key_path(settings)
    if not path.exists():
        write_once(path, secrets.token_hex(16).encode())
        path.chmod(0o600)
    return path.read_text()


def key_path(settings: Settings) -> Path:
    """Where the key is kept."""
    return settings.home / "node" / "tester-key"
