"""A store with January and February of the shops, on disk."""

from pathlib import Path

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline_tests.data import tiny

BOTH = Window.of_months("2024-01", "2024-02")


def filled(home: Path, contract: ModelContract | None = None) -> Snapshots:
    """Both months are stored below `home` as the pipeline has them."""
    of = contract or tiny.contract()
    snapshots = Snapshots(ObjectStore(home / "objects"), home / "partitions")
    frame = tiny.frame()
    for key in BOTH.months():
        snapshots.store_part(of, key, frame[Window.of_month(key).mask(frame["at"])])
    return snapshots


def path_of(snapshots: Snapshots, digest: str) -> Path:
    """The file of an object."""
    return snapshots.objects.root / digest[:2] / digest[2:]
