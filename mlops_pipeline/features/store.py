"""Feature matrices in the content-addressed store: names as JSON, values as a plain NumPy file."""

import io
import json
from dataclasses import dataclass

import numpy as np

from mlops_pipeline.data.objects import ObjectStore, canonical_json
from mlops_pipeline.data.snapshots import SnapshotRef
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.matrix import FeatureMatrix

NAMES = "features.json"
VALUES = "values.npy"


@dataclass(frozen=True, slots=True)
class FeaturesRef:
    """Features of one snapshot's rows, in their order, by one definition."""

    snapshot: SnapshotRef
    definition: str
    digest: str


def store_matrix(objects: ObjectStore, matrix: FeatureMatrix) -> str:
    """The matrix is stored; its digest is returned. Equal matrices have equal digests."""
    values = io.BytesIO()
    np.save(values, matrix.values, allow_pickle=False)
    names = {"names": list(matrix.names), "cardinalities": list(matrix.cardinalities)}
    return objects.put_tree({NAMES: canonical_json(names), VALUES: values.getvalue()})


def load_matrix(objects: ObjectStore, digest: str) -> FeatureMatrix:
    """The matrix of that digest, verified.

    Raises:
        SnapshotMissing, SnapshotCorrupt: it is not there, or not what its name says.
        FeatureError: the tree holds something else.
    """
    files = objects.get_tree(digest)
    if set(files) != {NAMES, VALUES}:
        raise FeatureError(f"tree {digest[:12]}… holds {sorted(files)}, no feature matrix")
    described = json.loads(files[NAMES])
    return FeatureMatrix(
        names=tuple(described["names"]),
        values=np.load(io.BytesIO(files[VALUES]), allow_pickle=False),
        cardinalities=tuple(described["cardinalities"]),
    )
