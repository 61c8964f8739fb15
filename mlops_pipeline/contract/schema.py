"""The contract's JSON Schema: an editor completes and checks a contract while it is written."""

from typing import Any

from mlops_pipeline.contract.model import ModelContract

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def contract_schema() -> dict[str, Any]:
    """JSON Schema of a `contract.yaml`; what concerns several parts at once only loading finds."""
    schema = ModelContract.model_json_schema()
    return {"$schema": DIALECT, **schema, "title": "Model contract"}
