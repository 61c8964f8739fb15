"""Functional dependencies: what a join or a look-up gives is one value for all that share its key.

Source: Codd, "A relational model of data for large shared data banks" (1970), as a check of data.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import Dependency
from mlops_pipeline.data.inspected import Finding, Inspected, failing_rows

UNITS = {"hour": "datetime64[h]", "day": "datetime64[D]"}


def dependencies(seen: Inspected, wanted: Sequence[Dependency]) -> Finding:
    """What the contract fixes by other columns has one value for each of their values."""
    worst: tuple[float, float, float, str] = (-1.0, 0.0, 0.0, "every dependency holds")
    counts: dict[str, int] = {}
    failing = []
    for dependency in wanted:
        if missing := seen.lacks(*dependency.given, seen.contract.event_time):
            counts[f"{dependency.name}: {', '.join(missing)} is missing"] = len(seen.frame)
            continue
        for column, _ in seen.readable([seen.contract.column(n) for n in dependency.fixed]):
            differs = differing(seen, dependency, column.name)
            share = float(differs.mean()) if len(differs) else 0.0
            limit = dependency.max_share
            text = f"{dependency.name}: {column.name} differs in {share:.2%} of rows"
            worst = max(worst, (share - limit, share, limit, f"{text}, limit {limit:.2%}"))
            if share > limit:
                counts[f"{dependency.name}: {column.name}"] = int(differs.sum())
                failing.append((column, differs, dependency.name))
    rows = failing_rows(seen, failing)
    said = [f"{what} in {n} of {len(seen.frame)} rows" for what, n in counts.items()]
    return Finding(not counts, "; ".join(said) or worst[3], worst[1], worst[2], rows, counts)


def differing(seen: Inspected, dependency: Dependency, column: str) -> np.ndarray:
    """Rows whose value is not that of their key: the trusted rows' most common, else the frame's.

    Of equally common values the smallest counts. Missing values differ from nothing.
    """
    key, values = _keys(seen, dependency, seen.frame), seen.frame[column]
    expected = _most_common(key, values)
    trusted = seen.reference
    names = {*dependency.given, column, seen.contract.event_time}
    if trusted is not None and dependency.within is None and names <= set(trusted):
        known = _most_common(_keys(seen, dependency, trusted), trusted[column])
        expected = known.combine_first(expected)
    right = expected.reindex(pd.Index(key)).to_numpy()
    held = values.to_numpy()
    differs: np.ndarray = pd.notna(held) & pd.notna(right) & (held != right)
    return differs


def _keys(seen: Inspected, dependency: Dependency, frame: pd.DataFrame) -> np.ndarray:
    """One number for each row's key: equal keys, equal numbers, in every frame."""
    parts = {name: frame[name].to_numpy() for name in dependency.given}
    if dependency.within is not None:
        times = frame[seen.contract.event_time].to_numpy()
        parts["_at"] = times.astype(UNITS[dependency.within]).astype(np.int64)
    keys: np.ndarray = pd.util.hash_pandas_object(pd.DataFrame(parts), index=False).to_numpy()
    return keys


def _most_common(key: np.ndarray, values: "pd.Series[float]") -> "pd.Series[float]":
    pairs = pd.DataFrame({"key": key, "value": values.to_numpy()}).dropna()
    counts = pairs.groupby(["key", "value"], sort=True).size().reset_index(name="rows")
    order = counts.sort_values(["key", "rows"], ascending=[True, False], kind="stable")
    first: pd.Series[float] = order.drop_duplicates("key").set_index("key")["value"]
    return first
