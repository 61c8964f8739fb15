"""The names under which one model appears in Dagster."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract

PACKAGE = Path(__file__).parent.parent


def key(contract: ModelContract, noun: str) -> dg.AssetKey:
    """`flight_delay/evaluation`."""
    return dg.AssetKey([contract.name, noun])


def name(contract: ModelContract, what: str) -> str:
    """`flight_delay__train`: jobs, ops, checks, schedules and sensors."""
    return f"{contract.name}__{what}"


def common(contract: ModelContract, room: str, *kinds: str) -> dict[str, Any]:
    """What every asset of the model carries. Its code version moves with its room and contract."""
    version = f"{room_digest(room)[:8]}-{contract_digest(contract)[:8]}"
    return {
        "group_name": contract.name,
        "owners": [contract.owner],
        "kinds": set(kinds),
        "code_version": version,
    }


@cache  # sources do not change while a process lives
def room_digest(room: str) -> str:
    """SHA-256 over the sources of one room, in the order of their names."""
    whole = hashlib.sha256()
    for path in sorted((PACKAGE / room).rglob("*.py")):
        whole.update(path.relative_to(PACKAGE).as_posix().encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()
