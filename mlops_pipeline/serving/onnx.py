"""The torch candidate served by onnxruntime: one thread, no torch in the process."""

from array import array
from collections.abc import Sequence

import numpy as np
import onnxruntime

from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.errors import ServingError

CLASSES = "classes"
SCORES = (*(next(iter(task.answer)) for task in TASKS.values()), CLASSES)
_ROWS = 8_192  # at once: what lies between the layers stays in the cache
_FLOATS = {"tensor(double)": np.float64, "tensor(float)": np.float32}


class OnnxScorer:
    """A graph from `values` (n, width) to scores (n,), or `classes` (n, k), loaded on the CPU."""

    def __init__(
        self, model: bytes, width: int, *, where: str = "model.onnx", threads: int = 1
    ) -> None:
        """Load the graph for rows of `width` features.

        Raises:
            ServingError: the bytes do not load, or its inputs and outputs are others.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own for every cause
            raise ServingError(f"{where}: onnxruntime: {error}") from error
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        known = [name for name in outputs if name in SCORES]
        if set(inputs) != {"values"} or not known:
            raise ServingError(
                f"{where}: a graph from {sorted(inputs)} to {outputs}; "
                f"a version has values -> {' or '.join(SCORES)}"
            )
        shape, kind = inputs["values"].shape, inputs["values"].type
        if kind not in _FLOATS or (isinstance(shape[-1], int) and shape[-1] != width):
            raise ServingError(
                f"{where}: values is {kind} of shape {shape}; the version has {width} features"
            )
        self._asked = known[:1]
        self._dtype = _FLOATS[kind]
        self._width = width

    def score(self, vector: "array[float]") -> float:
        """The score of one row."""
        return float(self._run(np.frombuffer(vector, dtype=np.float64).reshape(1, -1))[0])

    def scores(self, vector: "array[float]") -> Sequence[float]:
        """The probabilities of the classes for one row."""
        told: list[float] = self._run(np.frombuffer(vector, dtype=np.float64)[None, :])[0].tolist()
        return told

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        """The score of each row, of a graph of one output."""
        if self._asked == [CLASSES]:
            raise ServingError("a graph of several outputs has no one score")
        if not vectors:
            return []
        widths = {len(vector) for vector in vectors} - {self._width}
        if widths:
            raise ServingError(f"the model reads {self._width} features; a row has {widths.pop()}")
        return [float(value) for value in self._run(np.array(vectors, dtype=np.float64))]

    def score_matrix(self, values: np.ndarray) -> np.ndarray:
        """The score of each row."""
        parts = [values[at : at + _ROWS] for at in range(0, len(values), _ROWS)]
        return np.concatenate([self._run(part) for part in parts]).astype(np.float64)

    def _run(self, rows: np.ndarray) -> np.ndarray:
        if rows.shape[1] != self._width:
            raise ServingError(
                f"the model reads {self._width} features; the row has {rows.shape[1]}"
            )
        values = rows.astype(self._dtype, copy=False)
        (scores,) = self._session.run(self._asked, {"values": values})
        found: np.ndarray = scores if self._asked == [CLASSES] else scores.reshape(-1)
        return found
