"""A window of live answers in the content-addressed store: Parquet files of the same rows."""

import io

import pandas as pd

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.monitoring.frames import Served

ANSWERS, FEATURES, LABELLED = "answers.parquet", "features.parquet", "labelled.parquet"


def store_served(objects: ObjectStore, found: Served) -> str:
    """The answers are stored; the digest of their tree is returned."""
    return objects.put_tree({ANSWERS: _parquet(found.answers), FEATURES: _parquet(found.features)})


def load_served(objects: ObjectStore, digest: str) -> Served:
    """The answers of that digest, verified."""
    files = objects.get_tree(digest)
    return Served(
        pd.read_parquet(io.BytesIO(files[ANSWERS])), pd.read_parquet(io.BytesIO(files[FEATURES]))
    )


def store_labelled(objects: ObjectStore, joined: pd.DataFrame) -> str:
    """Answers joined with their labels are stored; the digest of their tree is returned."""
    return objects.put_tree({LABELLED: _parquet(joined)})


def load_labelled(objects: ObjectStore, digest: str) -> pd.DataFrame:
    """The joined answers of that digest, verified."""
    return pd.read_parquet(io.BytesIO(objects.get_tree(digest)[LABELLED]))


def _parquet(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_parquet(content, index=False, compression="zstd")
    return content.getvalue()
