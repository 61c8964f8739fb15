"""LightGBM without the lightgbm package: its C library, called through ctypes.

`import lightgbm` brings scikit-learn and pandas, about 150 MB; the library alone needs 26 MB. The
single-row-fast call is prepared once and fills one output cell. Numbers are the Booster's, bit for
bit.

Source: https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

import ctypes
import sys
from array import array
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_pipeline.errors import ServingError

if TYPE_CHECKING:
    import numpy as np

_NORMAL = 0  # C_API_PREDICT_NORMAL: the transformed score
_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_ROW_MAJOR = 1
_ALL_TREES = -1
_PARAMETERS = b"num_threads=1"


class LightGBMScorer:
    """A model file of one output, or of one a class.

    Not thread-safe: the prepared call owns its scratch memory.
    """

    def __init__(
        self,
        model: bytes,
        width: int,
        *,
        where: str = "model.txt",
        threads: int = 1,
        outputs: int = 1,
    ) -> None:
        """Load the text of `model` and prepare for rows of `width` features.

        Raises:
            ServingError: the library is not there, or the model does not load or fit the width.
        """
        self._library = _library()
        self._threads = f"num_threads={threads}".encode()
        self._booster = ctypes.c_void_p()
        self._call = ctypes.c_void_p()
        self._width = width
        self._outputs = outputs
        trees = ctypes.c_int()
        self._checked(
            self._library.LGBM_BoosterLoadModelFromString(
                model, ctypes.byref(trees), ctypes.byref(self._booster)
            ),
            where,
        )
        self._check_shape(where)
        self._checked(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster,
                _NORMAL,
                0,
                _ALL_TREES,
                _FLOAT64,
                width,
                _PARAMETERS,
                ctypes.byref(self._call),
            ),
            where,
        )
        self._predict = self._library.LGBM_BoosterPredictForMatSingleRowFast
        self._cells = (ctypes.c_double * outputs)()
        self._out = ctypes.c_double.from_buffer(self._cells)  # the first of them
        self._length = ctypes.c_int64()
        self._out_pointer = ctypes.addressof(self._out)
        self._length_pointer = ctypes.addressof(self._length)

    def score(self, vector: "array[float]") -> float:
        """The score of one row."""
        address, length = vector.buffer_info()
        if length != self._width:
            raise ServingError(f"the model reads {self._width} features; the row has {length}")
        failed = self._predict(self._call, address, self._length_pointer, self._out_pointer)
        if failed:
            raise ServingError(f"LightGBM: {self._last_error()}")
        return self._out.value

    def scores(self, vector: "array[float]") -> Sequence[float]:
        """The probabilities of the classes for one row."""
        self.score(vector)
        told: list[float] = self._cells[:]
        return told

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        """The score of each row, of a model of one output."""
        if self._outputs != 1:
            raise ServingError(f"a model of {self._outputs} outputs has no one score")
        if not vectors:
            return []
        rows = array("d")
        for vector in vectors:
            if len(vector) != self._width:
                raise ServingError(
                    f"the model reads {self._width} features; a row has {len(vector)}"
                )
            rows.extend(vector)
        out = (ctypes.c_double * len(vectors))()
        length = ctypes.c_int64()
        failed = self._library.LGBM_BoosterPredictForMat(
            self._booster,
            rows.buffer_info()[0],
            _FLOAT64,
            len(vectors),
            self._width,
            _ROW_MAJOR,
            _NORMAL,
            0,
            _ALL_TREES,
            _PARAMETERS,
            ctypes.byref(length),
            out,
        )
        if failed:
            raise ServingError(f"LightGBM: {self._last_error()}")
        return list(out)

    def score_matrix(self, values: "np.ndarray") -> "np.ndarray":
        """The score of each row of a float64 matrix in C order; (n, k) of k classes."""
        import numpy as np  # a server of single rows has no need of it

        if values.ndim != 2 or values.shape[1] != self._width:
            raise ServingError(
                f"the model reads {self._width} features; the matrix has shape {values.shape}"
            )
        rows = np.ascontiguousarray(values, dtype=np.float64)
        out = np.empty(len(rows) * self._outputs, dtype=np.float64)
        length = ctypes.c_int64()
        failed = self._library.LGBM_BoosterPredictForMat(
            self._booster,
            rows.ctypes.data,
            _FLOAT64,
            len(rows),
            self._width,
            _ROW_MAJOR,
            _NORMAL,
            0,
            _ALL_TREES,
            self._threads,
            ctypes.byref(length),
            out.ctypes.data,
        )
        if failed:
            raise ServingError(f"LightGBM: {self._last_error()}")
        return out if self._outputs == 1 else out.reshape(-1, self._outputs)

    def close(self) -> None:
        """The native memory is given back; the scorer is not used again."""
        if self._call:
            self._library.LGBM_FastConfigFree(self._call)
            self._call = ctypes.c_void_p()
        if self._booster:
            self._library.LGBM_BoosterFree(self._booster)
            self._booster = ctypes.c_void_p()

    def _check_shape(self, where: str) -> None:
        features, classes = ctypes.c_int(), ctypes.c_int()
        self._checked(
            self._library.LGBM_BoosterGetNumFeature(self._booster, ctypes.byref(features)),
            where,
        )
        self._checked(
            self._library.LGBM_BoosterGetNumClasses(self._booster, ctypes.byref(classes)),
            where,
        )
        if (features.value, classes.value) != (self._width, self._outputs):
            raise ServingError(
                f"{where}: a model of {features.value} features and {classes.value} outputs; "
                f"the version declares {self._width} features and {self._outputs} "
                f"output{'s' * (self._outputs > 1)}"
            )

    def _checked(self, failed: int, where: str) -> None:
        if failed:
            raise ServingError(f"{where}: LightGBM: {self._last_error()}")

    def _last_error(self) -> str:
        return str(self._library.LGBM_GetLastError().decode(errors="replace"))


def library_path() -> Path:
    """The installed wheel's shared library, found without importing the package.

    Raises:
        ServingError: lightgbm is not installed, or its wheel carries no library.
    """
    spec = find_spec("lightgbm")
    if spec is None or not spec.submodule_search_locations:
        raise ServingError("lightgbm is not installed: pip install lightgbm")
    name = {"win32": "lib_lightgbm.dll", "darwin": "lib_lightgbm.dylib"}.get(
        sys.platform, "lib_lightgbm.so"
    )
    for folder in spec.submodule_search_locations:
        for path in (Path(folder) / "lib" / name, Path(folder) / "bin" / name):
            if path.is_file():
                return path
    raise ServingError(f"lightgbm has no {name} below {list(spec.submodule_search_locations)}")


def _library() -> ctypes.CDLL:
    path = library_path()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ServingError(f"{path} does not load: {error}") from error
    pointer: Any = ctypes.c_void_p
    number: Any = ctypes.c_int
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_BoosterPredictForMatSingleRowFast.argtypes = [pointer] * 4
    library.LGBM_BoosterPredictForMatSingleRowFastInit.argtypes = (
        [pointer] + [number] * 4 + [ctypes.c_int32, ctypes.c_char_p, pointer]
    )
    library.LGBM_BoosterPredictForMat.argtypes = (
        [pointer, pointer, number, ctypes.c_int32, ctypes.c_int32]
        + [number] * 4
        + [ctypes.c_char_p, pointer, pointer]
    )
    return library
