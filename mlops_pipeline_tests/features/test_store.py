from pathlib import Path

import numpy as np
import pytest

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.store import load_matrix, store_matrix


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


def matrix(corner: float = 4.0) -> FeatureMatrix:
    values = np.array([[1.0, np.nan], [-0.0, corner]])
    return FeatureMatrix(("shop", "amount"), values, (3, 0))


def test_a_matrix_comes_back_bit_for_bit(objects: ObjectStore) -> None:
    back = load_matrix(objects, store_matrix(objects, matrix()))
    assert back.values.tobytes() == matrix().values.tobytes()
    assert (back.names, back.cardinalities) == (("shop", "amount"), (3, 0))


def test_equal_matrices_have_equal_digests_and_others_have_others(objects: ObjectStore) -> None:
    assert store_matrix(objects, matrix()) == store_matrix(objects, matrix())
    assert store_matrix(objects, matrix(5.0)) != store_matrix(objects, matrix())


def test_another_tree_is_no_matrix(objects: ObjectStore) -> None:
    digest = objects.put_tree({"model.txt": b""})
    with pytest.raises(FeatureError, match=r"holds \['model.txt'\], no feature matrix"):
        load_matrix(objects, digest)
