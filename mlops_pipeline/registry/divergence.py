"""Where two models' native files first differ, in words that lead to the cause."""

from collections.abc import Mapping

import numpy as np

TEXT = frozenset({".txt", ".json"})


def first_divergence(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str | None:
    """The first difference, or None where every byte is equal."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None or new is None:
            return f"{name} is {'new' if old is None else 'gone'}"
        if name.endswith(".safetensors"):
            return f"{name}: {_tensor(old, new)}"
        if name.endswith(tuple(TEXT)):
            return f"{name}: {_line(old.decode(), new.decode())}"
    for name in sorted({*before, *after}):  # graphs hold the weights again: told last
        if before.get(name) != after.get(name):
            return f"{name}: {_byte(before[name], after[name])}"
    return None


def _tensor(old: bytes, new: bytes) -> str:
    from safetensors.numpy import load

    first, second = load(old), load(new)
    for name in sorted({*first, *second}):
        one, other = first.get(name), second.get(name)
        if one is None or other is None:
            return f"weight {name} is on one side only"
        if one.shape != other.shape:
            return f"weight {name} has shape {one.shape} and {other.shape}"
        if not np.array_equal(one, other):
            largest = float(np.abs(one - other).max())
            many = f"{int((one != other).sum())} of {one.size} values"
            return f"weight {name} differs in {many}, at most by {largest:.3g}"
    return "equal weights, written otherwise"


def _line(old: str, new: str) -> str:
    tree = "before the first tree"
    lines, others = old.splitlines(), new.splitlines()
    for place, (one, other) in enumerate(zip(lines, others, strict=False)):
        if one.startswith("Tree="):
            tree = f"tree {one.removeprefix('Tree=')}"
        if one == other or one.startswith("tree_sizes="):  # sizes follow from the trees
            continue
        key = one.partition("=")[0]
        return f"line {place + 1}, {tree}, {key[:40]}: {one[:80]!r} and {other[:80]!r}"
    return f"{len(lines)} lines and {len(others)}"


def _byte(old: bytes, new: bytes) -> str:
    length = min(len(old), len(new))
    for place in range(length):
        if old[place] != new[place]:
            return f"byte {place} of {len(old)}"
    return f"{len(old)} bytes and {len(new)}"
