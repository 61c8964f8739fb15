"""The Open Inference Protocol, version 2, over HTTP: one tensor a column, JSON or raw bytes.

    inputs    one tensor of shape [n] or [n, 1] for each request column
              numbers: FP64 (any FP, INT, UINT is taken), texts and times: BYTES, times also numbers
    outputs   of the task: probability FP64 [n], answer BOOL [n]; or prediction FP64 [n]; or
              probability FP64 [n], answer BYTES [n], classes FP64 [n, k] in the contract's order

Missing is JSON null, NaN in raw bytes, or a tensor left out. Raw bytes follow the binary tensor
extension: `Inference-Header-Content-Length` says where the JSON ends. Errors are
`{"error": "…"}` as the protocol has it, with our `detail` of field, what and allowed.

Source: https://github.com/kserve/open-inference-protocol, and Triton's binary tensor extension.
"""

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.registry.answers import score_name
from mlops_pipeline.serving.dialects import (
    MAX_ROWS,
    Asked,
    Content,
    Headers,
    detail,
    sentence,
    too_many,
)
from mlops_pipeline.serving.predictor import Prediction
from mlops_pipeline.serving.refusals import AGAINST_CONTRACT, MALFORMED, Refusal, read_json

CLASSES = "classes"
SPLIT = b"inference-header-content-length"
_TYPES = {
    "double": "FP64",
    "boolean": "BOOL",
    "string": "BYTES",
    "map": "FP64",
}  # from MLflow's words
_CODES = {  # of `array`, by datatype; all little-endian on the wire
    "FP64": "d",
    "FP32": "f",
    "INT64": "q",
    "INT32": "i",
    "INT16": "h",
    "INT8": "b",
    "UINT64": "Q",
    "UINT32": "I",
    "UINT16": "H",
    "UINT8": "B",
}
_DATATYPES = (*_CODES, "BYTES")


class _Tensor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class _Output(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    parameters: dict[str, Any] = {}


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Tensor]
    id: str | None = None
    outputs: list[_Output] = []
    parameters: dict[str, Any] = {}


class OpenInference:
    """The protocol for one version."""

    kinds: tuple[bytes, ...] = (b"application/json", b"application/octet-stream", b"")

    def __init__(self, contract: ModelContract, version: str) -> None:
        self._model = contract.name
        self._version = version
        self._decode = msgspec.json.Decoder(_Request).decode
        self._encode = msgspec.json.Encoder().encode
        self.inputs = [
            {"name": column.name, "datatype": _datatype(column.type), "shape": [-1]}
            for column in contract.request_columns
        ]
        self._types = output_types(contract)
        self._score = score_name(contract)
        self._classes = contract.classes
        self.outputs = [
            {"name": name, "datatype": kind, "shape": [-1, *self._more(name)]}
            for name, kind in self._types.items()
        ]

    def read(self, body: bytes, headers: Headers) -> Asked | Refusal:
        """See `Dialect.read`."""
        text, raw = body, b""
        if (split := headers.get(SPLIT)) is not None:
            if not split.isdigit() or len(split) > 9 or int(split) > len(body):
                return Refusal(MALFORMED, SPLIT.decode(), "no length of this body", "its JSON part")
            text, raw = body[: int(split)], body[int(split) :]
        try:
            request = self._decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _unread(text, error)
        columns = _columns(request.inputs, memoryview(raw))
        if isinstance(columns, Refusal):
            return columns
        unknown = [each.name for each in request.outputs if each.name not in self._types]
        if unknown:
            return Refusal(AGAINST_CONTRACT, "outputs", unknown[0][:60], " or ".join(self._types))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return too_many(len(rows)) or _asked(request, rows, tuple(self._types))

    def answer(self, id: str, asked: Asked, told: Sequence[Prediction]) -> Content:
        """See `Dialect.answer`."""
        outputs: list[dict[str, Any]] = []
        raw = b""
        for name in asked.outputs:
            tensor: dict[str, Any] = {
                "name": name,
                "datatype": self._types[name],
                "shape": [len(told), *self._more(name)],
            }
            values = self._values(name, told)
            if name in asked.binary:
                piece = _PACKED[self._types[name]](values)
                tensor["parameters"] = {"binary_data_size": len(piece)}
                raw += piece
            else:
                tensor["data"] = values
            outputs.append(tensor)
        said = {"model_name": self._model, "model_version": self._version, "id": id}
        text = self._encode({**said, "outputs": outputs})
        if not asked.binary:
            return Content(text)
        length = str(len(text)).encode()
        return Content(text + raw, b"application/octet-stream", ((SPLIT, length),))

    def _more(self, name: str) -> list[int]:
        """The second dimension of an output, where it has one."""
        return [len(self._classes)] if name == CLASSES else []

    def _values(self, name: str, told: Sequence[Prediction]) -> list[Any]:
        if name == CLASSES:  # row by row
            return [value for one in told for value in one.classes or ()]
        return [one.score if name == self._score else one.answer for one in told]

    def error(self, id: str, refusal: Refusal) -> bytes:
        """See `Dialect.error`."""
        return self._encode({"error": sentence(refusal), "id": id, "detail": detail(refusal)})


def output_types(contract: ModelContract) -> dict[str, str]:
    """The protocol's datatype of each field of an answer."""
    return {name: _TYPES[kind] for name, kind in contract.kind.answer.items()}


def _asked(request: _Request, rows: Sequence[Mapping[str, Any]], known: tuple[str, ...]) -> Asked:
    names = tuple(each.name for each in request.outputs) or known
    every = request.parameters.get("binary_data_output") is True
    said = {each.name: each.parameters.get("binary_data", every) for each in request.outputs}
    binary = frozenset(name for name in names if said.get(name, every) is True)
    return Asked(rows, request.id or None, names, binary)


def _columns(tensors: list[_Tensor], raw: memoryview) -> dict[str, list[Any]] | Refusal:
    """The values of each tensor, all of one length."""
    found: dict[str, list[Any]] = {}
    for tensor in tensors:
        rows = _length(tensor)
        if isinstance(rows, Refusal):
            return rows
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values = _listed(tensor, rows)
        elif type(size) is not int or not 0 <= size <= len(raw) or tensor.data is not None:
            return _wrong(tensor, f"binary_data_size {size}", f"at most {len(raw)} bytes that came")
        else:
            values = _unpacked(tensor, rows, raw[:size])
            raw = raw[size:]
        if isinstance(values, Refusal):
            return values
        if tensor.name in found or (found and rows != len(next(iter(found.values())))):
            return _wrong(tensor, "twice, or of another length", "one tensor a column, as long")
        found[tensor.name] = values
    if raw:
        return Refusal(MALFORMED, "body", f"{len(raw)} bytes belong to no tensor", "none")
    return found


def _length(tensor: _Tensor) -> int | Refusal:
    shape = tensor.shape
    if tensor.datatype not in _DATATYPES:
        return _wrong(tensor, f"datatype {tensor.datatype[:20]}", ", ".join(_DATATYPES))
    if not shape or len(shape) > 2 or shape[1:] not in ([], [1]) or shape[0] < 0:
        return _wrong(tensor, f"shape {shape[:4]}", "[rows] or [rows, 1]")
    if shape[0] > MAX_ROWS:
        return too_many(shape[0]) or shape[0]
    return shape[0]


def _listed(tensor: _Tensor, rows: int) -> list[Any] | Refusal:
    data = tensor.data
    if data is None:
        return _wrong(tensor, "no data", "data, or parameters.binary_data_size")
    if data and all(isinstance(each, list) and len(each) == 1 for each in data):
        data = [each[0] for each in data]
    if len(data) != rows:
        return _wrong(tensor, f"{len(data)} values", f"{rows}, as its shape says")
    return data


def _unpacked(tensor: _Tensor, rows: int, raw: memoryview) -> list[Any] | Refusal:
    if tensor.datatype == "BYTES":
        return _texts(tensor, rows, raw)
    values: array[Any] = array(_CODES[tensor.datatype])
    if len(raw) != rows * values.itemsize:
        return _wrong(tensor, f"{len(raw)} bytes", f"{rows * values.itemsize} for {rows} values")
    values.frombytes(raw)
    if sys.byteorder == "big":
        values.byteswap()
    if values.typecode in "fd":
        return [value if value == value else None for value in values]
    return values.tolist()


def _texts(tensor: _Tensor, rows: int, raw: memoryview) -> list[Any] | Refusal:
    """Each text behind its length in four bytes."""
    texts: list[str] = []
    while raw and len(texts) < rows:
        end = 4 + int.from_bytes(raw[:4], "little")
        if end > len(raw):
            break
        try:
            texts.append(str(raw[4:end], "utf-8"))
        except UnicodeDecodeError:
            return _wrong(tensor, f"value {len(texts)} is not UTF-8", "UTF-8")
        raw = raw[end:]
    if raw or len(texts) != rows:
        return _wrong(tensor, "its bytes do not hold its values", f"{rows} texts, each with length")
    return texts


def _packed(values: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _packed_texts(values: list[str]) -> bytes:
    """Each text behind its length in four bytes."""
    texts = [value.encode() for value in values]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


_PACKED: dict[str, Callable[[list[Any]], bytes]] = {
    "FP64": lambda values: _packed(array("d", values)),
    "BOOL": lambda values: _packed(array("B", values)),
    "BYTES": _packed_texts,
}


def _datatype(kind: ColumnType) -> str:
    numeric = kind in (ColumnType.NUMBER, ColumnType.INTEGER)
    return "FP64" if numeric else "BYTES"


def _unread(text: bytes, error: Exception) -> Refusal:
    data = read_json(text)
    if isinstance(data, Refusal):
        return data
    status = AGAINST_CONTRACT if isinstance(error, msgspec.ValidationError) else MALFORMED
    return Refusal(status, "body", str(error)[:200], "an inference request of protocol version 2")


def _wrong(tensor: _Tensor, what: str, allowed: str) -> Refusal:
    return Refusal(AGAINST_CONTRACT, tensor.name[:60], what, allowed)
