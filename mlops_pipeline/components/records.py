"""How one asset hands a record to the next: as JSON that a person can read, never as a pickle."""

from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from mlops_pipeline.data.objects import write_durably
from mlops_pipeline.settings import read_settings


class RecordIOManager(dg.IOManager):
    """The newest record of each asset, in `<home>/records/<asset key>.json`."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """The record stands on disk, whole."""
        if obj is None:
            return
        write_durably(self._path(context.asset_key), msgspec.json.encode(obj))

    def load_input(self, context: dg.InputContext) -> Any:
        """The record, as the type that the asset's signature names."""
        path = self._path(context.asset_key)
        if not path.exists():
            raise dg.Failure(
                f"asset {context.asset_key.to_user_string()} was never materialised here: "
                "run the job that makes it first"
            )
        return msgspec.json.decode(path.read_bytes(), type=context.dagster_type.typing_type)

    def _path(self, key: dg.AssetKey) -> Path:
        return read_settings().home.joinpath("records", *key.path).with_suffix(".json")
