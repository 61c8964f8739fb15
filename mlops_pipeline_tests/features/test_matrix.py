import numpy as np
import pytest

from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.matrix import FeatureMatrix


def test_a_column_is_found_by_name() -> None:
    matrix = FeatureMatrix(("a", "b"), np.array([[1.0, 2.0], [3.0, 4.0]]), (0, 3))
    assert len(matrix) == 2
    assert matrix.column("b").tolist() == [2.0, 4.0]


def test_an_unknown_column_is_named() -> None:
    matrix = FeatureMatrix(("a",), np.zeros((1, 1)), (0,))
    with pytest.raises(FeatureError, match="no feature is named 'z'; features: a"):
        matrix.column("z")


@pytest.mark.parametrize(
    ("values", "cardinalities", "message"),
    [
        (np.zeros(2), (0, 0), r"shape \(2,\) cannot hold 2 features"),
        (np.zeros((2, 3)), (0, 0), r"shape \(2, 3\) cannot hold 2 features"),
        (np.zeros((2, 2), dtype=np.float32), (0, 0), "not float32"),
        (np.zeros((2, 2)).T[:, ::-1], (0, 0), "C-contiguous float64"),
        (np.zeros((2, 2)), (0,), "1 cardinalities for 2 features"),
    ],
)
def test_what_is_no_feature_matrix_is_refused(
    values: np.ndarray, cardinalities: tuple[int, ...], message: str
) -> None:
    with pytest.raises(FeatureError, match=message):
        FeatureMatrix(("a", "b"), values, cardinalities)
