"""Masking: personal values become tokens that still join, and lead back to nobody without the key.

A token is the HMAC-SHA256 of column and value under this installation's key, which stays out of the
repository and out of backups of the data. Equal values of one column have equal tokens; the same
value in another column has another.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mlops_pipeline.contract.columns import Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import SettingsError

KEY_BYTES = 32
KEY_FILE = "masking.key"


def token(key: bytes, column: str, value: object) -> str:
    """The token of a value: `column:` and 20 hexadecimal digits."""
    content = f"{column}\0{value}".encode()
    return f"{column}:{hmac.new(key, content, hashlib.sha256).hexdigest()[:20]}"


def mask_frame(contract: ModelContract, frame: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """A copy whose personal columns hold tokens; a missing value stays missing."""
    masked = frame.copy()
    for name in personal_columns(contract):
        if name in masked:
            masked[name] = pd.Series(
                [None if pd.isna(value) else token(key, name, value) for value in masked[name]],
                index=masked.index,
                dtype=object,
            )
    return masked


def mask_row(contract: ModelContract, row: Mapping[str, object], key: bytes) -> dict[str, object]:
    """A copy of one row as `mask_frame` would have it."""
    personal = personal_columns(contract)
    return {
        name: token(key, name, value) if name in personal and value is not None else value
        for name, value in row.items()
    }


def personal_columns(contract: ModelContract) -> tuple[str, ...]:
    """Names of the columns that are masked everywhere, in the contract's order."""
    return tuple(c.name for c in contract.columns if c.sensitivity is Sensitivity.PERSONAL)


def masking_key(folder: Path) -> bytes:
    """This installation's key below `folder`, made at the first call; only its owner can read it.

    Raises:
        SettingsError: the file is not a key, or others can read it.
    """
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = folder / f".{KEY_FILE}-{os.getpid()}-{secrets.token_hex(4)}"
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(scratch, path)  # whole or not at all, and only if there is none
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    return _read_key(path)


def _read_key(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others: chmod 600 it, and consider it known")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{path} holds {len(key)} bytes, a key has {KEY_BYTES}: restore it from a backup"
        )
    return key
