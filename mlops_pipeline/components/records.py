"""How one asset hands a record to the next: as JSON that a person can read, never as a pickle."""

from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from mlops_pipeline.data.objects import write_durably
from mlops_pipeline.settings import read_settings


class RecordIOManager(dg.IOManager):
    """The newest record of each asset and partition, in `<home>/records/<asset key>….json`."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """The record stands on disk, whole."""
        if obj is None:
            return
        write_durably(_path(context), msgspec.json.encode(obj))

    def load_input(self, context: dg.InputContext) -> Any:
        """The record, as the type that the asset's signature names."""
        path = _path(context)
        if not path.exists():
            raise dg.Failure(
                f"asset {context.asset_key.to_user_string()} was never materialised here: "
                "run the job that makes it first"
            )
        return msgspec.json.decode(path.read_bytes(), type=context.dagster_type.typing_type)


def _path(context: dg.OutputContext | dg.InputContext) -> Path:
    parts = [*context.asset_key.path]
    if context.has_asset_partitions:
        parts.append(context.asset_partition_key)
    return read_settings().home.joinpath("records", *parts).with_suffix(".json")
