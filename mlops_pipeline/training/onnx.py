"""A network as an ONNX graph that takes the raw feature row, and the model that answers with it.

Missing values, scaling and embeddings are nodes of the graph, so a server needs the float64 feature
vector and onnxruntime, nothing else. The graph is built node by node: it is small, its bytes depend
only on the weights, and no tracer has to be trusted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.checks import as_values
from mlops_pipeline.training.network import CLIP, Network, read_network
from mlops_pipeline.training.protocols import Fact

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.safetensors"
NETWORK_FILE = "network.json"
INPUT = "values"
OUTPUTS = {
    "sigmoid": ("Sigmoid", "probability"),
    "identity": ("Identity", "prediction"),
    "softmax": ("Softmax", "classes"),
}
OPSET = 17
IR_VERSION = 10  # what onnxruntime 1.18 and later read


class OnnxModel:
    """A fitted network; it predicts with the very graph that serves."""

    def __init__(
        self, trainer: str, files: Mapping[str, bytes], facts: Mapping[str, Fact] | None = None
    ) -> None:
        expected = {GRAPH_FILE, WEIGHTS_FILE, NETWORK_FILE}
        if set(files) != expected:
            raise TrainingError(f"a network is the files {sorted(expected)}, not {sorted(files)}")
        self.trainer = trainer
        self._files = dict(files)
        self._facts = dict(facts or {})
        self.network, self._importance = read_network(files[NETWORK_FILE])
        self._session = _session(files[GRAPH_FILE])
        self._output = OUTPUTS[self.network.link][1]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See `Model.feature_names`."""
        return self.network.names

    def predict(self, values: np.ndarray) -> np.ndarray:
        """See `Model.predict`."""
        wide = as_values(values, len(self.network.names))
        answers = self._session.run([self._output], {INPUT: wide})[0]
        return np.asarray(answers, dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """See `Model.files`."""
        return dict(self._files)

    def importance(self) -> dict[str, float]:
        """Shares of the loss that is gained when a feature's values are shuffled among rows."""
        return dict(self._importance)

    def facts(self) -> dict[str, Fact]:
        """See `Model.facts`."""
        return dict(self._facts)


def build_graph(network: Network, weights: Mapping[str, np.ndarray]) -> bytes:
    """The ONNX model: `values` float64 (n, p) to its one output, float64 scores (n,) or (n, k)."""
    from onnx import TensorProto, checker, helper

    graph = _Graph(weights)
    parts = _numbers(graph, network) if network.numbers else []
    parts += [_category(graph, network, index) for index in network.categories]
    width = len(network.hidden)
    last = graph.add("Concat", parts, axis=1)
    for layer in range(width + 1):
        names = [f"layer.{layer}.weight", f"layer.{layer}.bias"]
        last = graph.add("Gemm", [last, *names], transB=1)
        if layer < width:
            last = graph.add("Relu", [last])
    odds = graph.add("Cast", [last], to=TensorProto.DOUBLE)  # a float32 sigmoid is soon 1 exactly
    kind, output = OUTPUTS[network.link]
    if network.outputs == 1:
        flat = graph.add("Reshape", [odds, graph.constant("flat", np.array([-1]))])
        graph.add(kind, [flat], output=output)
    else:
        graph.add(kind, [odds], output=output, axis=1)
    shape: list[str | int | None] = ["n"] if network.outputs == 1 else ["n", network.outputs]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["n", len(network.names)])],
            [helper.make_tensor_value_info(output, TensorProto.DOUBLE, shape)],
            graph.tensors,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Graph:
    """Nodes and constants as they are added; every node has one output."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        for name in sorted(weights):
            self.constant(name, weights[name])

    def constant(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def add(self, kind: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name


def _numbers(graph: _Graph, network: Network) -> list[str]:
    """Standardised values and missing marks; the same arithmetic as `encode`, in float64."""
    from onnx import TensorProto

    mean = graph.constant("mean", np.array(network.mean))
    scale = graph.constant("scale", np.array(network.scale))
    zero = graph.constant("zero", np.array(0.0))
    low, high = graph.constant("low", np.array(-CLIP)), graph.constant("high", np.array(CLIP))
    columns = graph.constant("numbers", np.array(network.numbers, dtype=np.int64))
    raw = graph.add("Gather", [INPUT, columns], axis=1)
    missing = graph.add("IsNaN", [raw])
    standard = graph.add("Div", [graph.add("Sub", [raw, mean]), scale])
    filled = graph.add("Where", [missing, zero, standard])
    clipped = graph.add("Clip", [filled, low, high])
    return [
        graph.add("Cast", [clipped], to=TensorProto.FLOAT),
        graph.add("Cast", [missing], to=TensorProto.FLOAT),
    ]


def _category(graph: _Graph, network: Network, index: int) -> str:
    """The embedding of one category; what is not a known code takes the last row."""
    from onnx import TensorProto

    name = network.names[index]
    column = graph.constant(f"column.{name}", np.array(index, dtype=np.int64))
    unseen = graph.constant(f"unseen.{name}", np.array(float(network.cardinalities[index])))
    first = graph.constant(f"first.{name}", np.array(0.0))
    code = graph.add("Gather", [INPUT, column], axis=1)
    known = graph.add(
        "And",
        [graph.add("GreaterOrEqual", [code, first]), graph.add("Less", [code, unseen])],
    )
    safe = graph.add("Where", [known, code, unseen])
    whole = graph.add("Cast", [safe], to=TensorProto.INT64)
    return graph.add("Gather", [f"embedding.{name}", whole], axis=0)


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no documented class
        raise TrainingError(f"{GRAPH_FILE} cannot be loaded: {error}") from error
