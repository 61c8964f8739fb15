"""Where a snapshot's rows come from: what of the contract shapes them, and which code did."""

import inspect
import sys

from mlops_pipeline.contract.load import load_callable
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data import files, parts, sources, sql
from mlops_pipeline.data.objects import canonical_json, digest_of


def shape_digest(contract: ModelContract) -> str:
    """SHA-256 over the contract's words that decide which rows are stored, and in which types.

    Bounds, features, gates and rollout are no part of it: they judge rows and do not change them,
    so that an edited promise leaves equal rows under an equal digest.
    """
    words = ("kind", "name", "function", "location", "encoding", "delimiter", "url_from", "table")
    return digest_of(
        canonical_json(
            {
                "name": contract.name,
                "entity": list(contract.entity),
                "event_time": contract.event_time,
                "source": contract.source.model_dump(mode="json", include=set(words)),
                "columns": [
                    column.model_dump(mode="json", include={"name", "type", "nullable"})
                    for column in contract.columns
                ],
            }
        )
    )


def code_digest(contract: ModelContract) -> str:
    """SHA-256 over the source text of what makes parts: this room's modules and the source's."""
    modules = [sources, parts, files, sql]
    if contract.source.function is not None:
        modules.append(sys.modules[load_callable(contract.source.function).__module__])
    return digest_of("\0".join(inspect.getsource(module) for module in modules).encode())
