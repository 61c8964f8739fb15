"""Where a version came from: one record that says everything its bytes depend on.

The record holds causes only. What a candidate was compared with, when and with which verdict is
told by the evaluation report and the ledger, so judging a candidate again makes no new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.registry.environment import Environment


@dataclass(frozen=True, slots=True)
class Lineage:
    """Snapshot, definitions, code, environment, parameters and chance of one fit."""

    model: str
    candidate: str
    trainer: str
    params: Mapping[str, Any]
    seed: int
    snapshot: str  # digest of the rows' manifest
    definition: str  # digest of the feature definitions
    contract: str  # digest of the contract
    train: Window
    validation: Window
    test: Window
    code: CodeState
    environment: Environment


def lineage_json(lineage: Lineage) -> bytes:
    """Canonical JSON; `read_lineage` reads it back."""
    return canonical_json(msgspec.to_builtins(lineage))


def lineage_digest(lineage: Lineage) -> str:
    """SHA-256 of the canonical JSON: equal causes, equal digest."""
    return digest_of(lineage_json(lineage))


def read_lineage(content: bytes) -> Lineage:
    """The record that `lineage_json` wrote.

    Raises:
        RegistryError: the content is not a lineage record.
    """
    try:
        return msgspec.json.decode(content, type=Lineage)
    except msgspec.DecodeError as error:
        raise RegistryError(f"this is no lineage record: {error}") from error
