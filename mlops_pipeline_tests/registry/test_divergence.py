"""Where two models first differ, in words that lead to the cause."""

import numpy as np
from safetensors.numpy import save

from mlops_pipeline.registry.divergence import first_divergence

TREES = "tree\nversion=v4\ntree_sizes=10\n\nTree=0\nleaf_value=1 2\n\nTree=1\nleaf_value=3 4\n"


def test_equal_files_do_not_diverge() -> None:
    assert first_divergence({"model.txt": b"x"}, {"model.txt": b"x"}) is None


def test_the_tree_and_the_line_are_named_and_what_follows_from_them_is_not() -> None:
    other = TREES.replace("3 4", "3 5").replace("tree_sizes=10", "tree_sizes=11")
    found = first_divergence({"model.txt": TREES.encode()}, {"model.txt": other.encode()})
    assert found == "model.txt: line 9, tree 1, leaf_value: 'leaf_value=3 4' and 'leaf_value=3 5'"


def test_a_model_that_is_longer_is_told() -> None:
    found = first_divergence({"model.txt": b"a\n"}, {"model.txt": b"a\nb\n"})
    assert found == "model.txt: 1 lines and 2"


def test_the_weight_is_named_with_how_far_it_lies() -> None:
    weights = {"layer.0": np.zeros(4, dtype=np.float32), "layer.1": np.ones(2, dtype=np.float32)}
    changed = {**weights, "layer.1": np.array([1.0, 1.5], dtype=np.float32)}
    sides = [
        {"model.onnx": bytes([n]), "weights.safetensors": save(w)}
        for n, w in ((1, weights), (2, changed))
    ]
    found = first_divergence(*sides)
    assert found == "weights.safetensors: weight layer.1 differs in 1 of 2 values, at most by 0.5"
    narrow = {"weights.safetensors": save({"layer.0": np.zeros(3, dtype=np.float32)})}
    wide = {"weights.safetensors": save({"layer.0": np.zeros(4, dtype=np.float32)})}
    assert "has shape (3,) and (4,)" in str(first_divergence(narrow, wide))
    nothing = {"weights.safetensors": save({})}
    assert "is on one side only" in str(first_divergence(nothing, wide))


def test_a_file_more_is_told_and_a_binary_by_its_first_byte() -> None:
    assert first_divergence({}, {"a.bin": b"x"}) == "a.bin is new"
    assert first_divergence({"a.bin": b"x"}, {}) == "a.bin is gone"
    assert first_divergence({"a.bin": b"xyz"}, {"a.bin": b"xyw"}) == "a.bin: byte 2 of 3"
    assert first_divergence({"a.bin": b"xyz"}, {"a.bin": b"xy"}) == "a.bin: 3 bytes and 2"
