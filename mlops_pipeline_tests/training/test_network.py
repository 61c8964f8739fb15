import numpy as np
import pytest

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.network import (
    Network,
    embedding_width,
    encode,
    network_json,
    plan_network,
    read_network,
)

SMALL = Network(
    names=("kind", "size"), cardinalities=(2, 0), hidden=(4,), mean=(10.0,), scale=(2.0,)
)


def test_numbers_are_scaled_and_missing_ones_are_the_mean_and_marked() -> None:
    numbers, _ = encode(SMALL, np.array([[0.0, 14.0], [1.0, np.nan], [0.0, 1e9]]))
    assert numbers.tolist() == [[2.0, 0.0], [0.0, 1.0], [8.0, 0.0]]  # the last is clipped


def test_codes_that_are_missing_or_unknown_share_the_last_embedding() -> None:
    _, codes = encode(SMALL, np.array([[0.0, 0], [1.0, 0], [np.nan, 0], [2.0, 0], [-1.0, 0]]))
    assert codes[:, 0].tolist() == [0, 1, 2, 2, 2]


def test_shapes_follow_from_the_features() -> None:
    assert SMALL.shapes == {
        "embedding.kind": (3, 2),
        "layer.0.weight": (4, 4),  # one number, its mark, two of the embedding
        "layer.0.bias": (4,),
        "layer.1.weight": (1, 4),
        "layer.1.bias": (1,),
    }


def test_scaling_ignores_missing_values_and_leaves_constants_alone() -> None:
    values = np.array([[1.0, 7.0, np.nan], [3.0, 7.0, np.nan], [np.nan, 7.0, np.nan]])
    network = plan_network(FeatureMatrix(("a", "b", "c"), values, (0, 0, 0)), (4,))
    assert network.mean == (2.0, 7.0, 0.0)
    assert network.scale == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("cardinality", "width"), [(2, 2), (16, 4), (104, 11), (10_000, 16)])
def test_embeddings_grow_with_the_square_root(cardinality: int, width: int) -> None:
    assert embedding_width(cardinality) == width


def test_a_network_reads_back_what_was_written() -> None:
    assert read_network(network_json(SMALL, {"kind": 0.25})) == (SMALL, {"kind": 0.25})


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"names": 1, "importance": {}}'])
def test_other_content_is_no_network(content: bytes) -> None:
    with pytest.raises(TrainingError, match="describes no network"):
        read_network(content)
