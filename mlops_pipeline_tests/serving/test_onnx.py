from array import array

import numpy as np
import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.onnx import OnnxScorer


def graph(name: str = "values", width: int = 2) -> bytes:
    """The sum of a row through the logistic function."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ReduceSum", [name, "axis"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", width])]
    outputs = [helper.make_tensor_value_info("probability", TensorProto.DOUBLE, ["n"])]
    made = helper.make_model(
        helper.make_graph(nodes, "sum", inputs, outputs, [axis]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    content: bytes = made.SerializeToString()
    return content


def test_a_row_gives_what_was_computed_by_hand() -> None:
    scorer = OnnxScorer(graph(), 2)
    assert scorer.score(array("d", [1.0, -1.0])) == 0.5
    assert scorer.score(array("d", [2.0, 1.0])) == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-12)


def test_a_batch_gives_the_numbers_of_its_rows() -> None:
    scorer = OnnxScorer(graph(), 2)
    rows = [array("d", [1.0, -1.0]), array("d", [0.25, 3.0])]
    assert scorer.score_batch(rows) == [scorer.score(row) for row in rows]
    assert scorer.score_batch([]) == []


def test_a_row_of_another_width_is_refused() -> None:
    scorer = OnnxScorer(graph(), 2)
    with pytest.raises(ServingError, match="reads 2 features; the row has 3"):
        scorer.score(array("d", [1.0, 2.0, 3.0]))
    with pytest.raises(ServingError, match="reads 2 features; a row has 3"):
        scorer.score_batch([array("d", [1.0, 2.0, 3.0])])


def test_a_graph_with_another_face_is_refused() -> None:
    with pytest.raises(ServingError, match=r"a graph from \['rows'\].*values -> probability"):
        OnnxScorer(graph("rows"), 2)
    with pytest.raises(ServingError, match="the version has 3 features"):
        OnnxScorer(graph(), 3)


def test_bytes_that_are_no_graph_are_refused_with_their_place() -> None:
    with pytest.raises(ServingError, match=r"here/model.onnx: onnxruntime: "):
        OnnxScorer(b"no graph", 2, where="here/model.onnx")
