"""The one resource: the doors of the ground floor, opened where a run needs them."""

from functools import cached_property
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.ledger.store import open_ledger
from mlops_pipeline.registry.mlflow import MlflowRegistry, open_registry
from mlops_pipeline.settings import Settings, read_settings


class House(dg.ConfigurableResource[None]):
    """Stores, ledger and serving node, as the environment of this process names them."""

    @cached_property
    def settings(self) -> Settings:
        """Where state lives."""
        return read_settings()

    @cached_property
    def objects(self) -> ObjectStore:
        """The content-addressed store."""
        return ObjectStore(self.settings.objects)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Snapshots of every model's rows."""
        return Snapshots(self.objects, self.settings.home / "partitions")

    @cached_property
    def ledger(self) -> Engine:
        """The ledger, migrated."""
        return open_ledger(self.settings.ledger_url)

    @cached_property
    def registry(self) -> MlflowRegistry:
        """MLflow's runs and versions; nothing of mlflow is imported until it is used."""
        return open_registry(self.settings)

    @cached_property
    def node(self) -> NodeClient:
        """The serving node's control socket; nothing is asked of it until it is used."""
        return NodeClient(self.settings.node_socket)

    def bundle_folder(self, digest: str) -> Path:
        """The bundle of that digest stands on disk, verified; servers load from there."""
        return self.objects.check_out(digest, self.settings.bundles / digest)
