"""Compiled trees, loaded: a library of one model alone, called through ctypes.

    compiled/trees.so       `score` and `score_matrix`
    compiled/about.json     the machine that it was made for

It is loaded from the bytes that were verified, never from a path that could change in between.
"""

import ctypes
import os
import platform
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_pipeline.errors import RegistryError

if TYPE_CHECKING:
    import numpy as np

LIBRARY = "compiled/trees.so"
ABOUT = "compiled/about.json"


@dataclass(frozen=True, slots=True)
class CompiledAbout:
    """Where the library runs: the plain instructions of an architecture, so any of its machines."""

    system: str
    machine: str


def this_machine() -> CompiledAbout:
    """What a library must have been made for to run here."""
    return CompiledAbout(platform.system(), platform.machine())


class CompiledTrees:
    """The trees of one model as native code; holds no state, so any thread may share it."""

    def __init__(self, library: bytes, width: int, *, threads: int = 1) -> None:
        """Load the library for rows of `width` features; matrices are scored by so many threads.

        Raises:
            RegistryError: it does not load here, or is of another width.
        """
        self._width = width
        self._threads = threads
        try:
            # Open as long as the library is mapped, which is for good: the loader knows libraries
            # by their path, and a number that is given again would lead it to an earlier one.
            handle = os.memfd_create("trees", os.MFD_CLOEXEC)
            os.write(handle, library)
            loaded = ctypes.CDLL(f"/proc/self/fd/{handle}")
            found = ctypes.c_int.in_dll(loaded, "features").value
            self._score, self._score_matrix = loaded.score, loaded.score_matrix
        except (AttributeError, OSError, ValueError) as error:
            raise RegistryError(f"{LIBRARY} does not load: {error}") from error
        if found != width:
            raise RegistryError(f"{LIBRARY} reads {found} features; the version has {width}")
        self._score.restype = ctypes.c_double
        self._score.argtypes = [ctypes.c_void_p]
        self._score_matrix.restype = None
        self._score_matrix.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]

    def score(self, vector: "array[float]") -> float:
        """The probability of one row."""
        address, length = vector.buffer_info()
        if length != self._width:
            raise RegistryError(f"the model reads {self._width} features; the row has {length}")
        found: float = self._score(address)
        return found

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        """The probability of each row."""
        return [self.score(vector) for vector in vectors]

    def score_matrix(self, values: "np.ndarray") -> "np.ndarray":
        """The probability of each row of a float64 matrix in C order."""
        import numpy as np  # a server of single rows has no need of it

        if values.ndim != 2 or values.shape[1] != self._width:
            raise RegistryError(
                f"the model reads {self._width} features; the matrix has shape {values.shape}"
            )
        rows = np.ascontiguousarray(values, dtype=np.float64)
        out = np.empty(len(rows), dtype=np.float64)
        pieces = zip(
            np.array_split(rows, self._threads), np.array_split(out, self._threads), strict=True
        )
        with ThreadPoolExecutor(self._threads) as pool:  # a call gives the interpreter back
            list(pool.map(self._fill, pieces))
        return out

    def _fill(self, piece: "tuple[np.ndarray, np.ndarray]") -> None:
        rows, out = piece
        self._score_matrix(rows.ctypes.data, len(rows), out.ctypes.data)
