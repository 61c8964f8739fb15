"""A window of live answers in the content-addressed store: two Parquet files of the same rows."""

import io

import pandas as pd

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.monitoring.frames import Served

ANSWERS, FEATURES = "answers.parquet", "features.parquet"


def store_served(objects: ObjectStore, found: Served) -> str:
    """The answers are stored; the digest of their tree is returned."""
    return objects.put_tree({ANSWERS: _parquet(found.answers), FEATURES: _parquet(found.features)})


def load_served(objects: ObjectStore, digest: str) -> Served:
    """The answers of that digest, verified."""
    files = objects.get_tree(digest)
    return Served(
        pd.read_parquet(io.BytesIO(files[ANSWERS])), pd.read_parquet(io.BytesIO(files[FEATURES]))
    )


def _parquet(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_parquet(content, index=False, compression="zstd")
    return content.getvalue()
