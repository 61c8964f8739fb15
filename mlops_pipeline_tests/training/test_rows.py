import numpy as np
import pytest

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.training.rows import rows

VALUES = np.array([[0.0, 1.0, 2.0], [1.0, 3.0, 4.0], [2.0, 5.0, 6.0]])


def test_a_row_without_a_label_is_refused_with_its_place() -> None:
    with pytest.raises(TrainingError, match=r"row 1 has the label .*nan.*, not 0 or 1"):
        rows(VALUES, np.array([1.0, np.nan, 0.0]))


def test_labels_and_groups_have_one_value_a_row() -> None:
    matrix = rows(VALUES, np.zeros(3)).matrix
    with pytest.raises(TrainingError, match=r"groups has shape \(2,\) for 3 rows"):
        LabelledRows(matrix, np.zeros(3), np.zeros(2, dtype=int))


@pytest.mark.parametrize("pick", [np.array([True, False, True]), np.array([0, 2])])
def test_some_rows_keep_their_labels_and_groups(pick: np.ndarray) -> None:
    some = rows(VALUES, np.array([1.0, 0.0, 1.0])).only(pick)
    assert some.matrix.values[:, 1].tolist() == [1.0, 5.0]
    assert some.labels.tolist() == [1.0, 1.0]
    assert some.groups.tolist() == [0, 2]
    assert (len(some), some.positives) == (2, 2)
