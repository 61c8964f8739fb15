"""The MLmodel file of a version: what lets MLflow's own tools load and serve it.

Written by hand, so that nothing is pickled and equal versions have equal files. It names
`registry.pyfunc`, which loads the signed bundle beside it.
"""

import platform

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import canonical_json

LOADER = "mlops_pipeline.registry.pyfunc"
BUNDLE_FOLDER = "bundle"
FILE = "MLmodel"
_TYPES = {
    ColumnType.TIME: "string",  # ISO text, as in a request
    ColumnType.CATEGORY: "string",
    ColumnType.TEXT: "string",
    ColumnType.NUMBER: "double",
    ColumnType.INTEGER: "long",
}


def mlmodel(contract: ModelContract) -> bytes:
    """The file's bytes: JSON, which is YAML as well."""
    inputs = [_input(column) for column in contract.request_columns]
    outputs = [
        {"name": name, "required": True, **_output(kind)}
        for name, kind in contract.kind.answer.items()
    ]
    return canonical_json(
        {
            "flavors": {
                "python_function": {
                    "loader_module": LOADER,
                    "data": BUNDLE_FOLDER,
                    "python_version": platform.python_version(),
                }
            },
            "signature": {
                "inputs": canonical_json(inputs).decode(),
                "outputs": canonical_json(outputs).decode(),
                "params": None,
            },
        }
    )


def _output(kind: str) -> dict[str, object]:
    if kind == "map":
        return {"type": "map", "values": {"type": "double", "required": True}}
    return {"type": kind}


def _input(column: Column) -> dict[str, object]:
    kind = _TYPES[column.type]
    if kind == "long" and column.nullable:
        kind = "double"  # MLflow's integers cannot be missing
    return {"name": column.name, "type": kind, "required": not column.nullable}
