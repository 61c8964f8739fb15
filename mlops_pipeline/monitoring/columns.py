"""One watched column: the statistic against its limit, missing values, unseen categories."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mlops_pipeline.contract.promises import ColumnDrift
from mlops_pipeline.monitoring.records import DriftRow, Kind

SHOWN = 8  # unseen categories that are named


def judge_column(
    watched: ColumnDrift,
    kind: Kind,
    reference: "pd.Series[float]",
    current: "pd.Series[float]",
    *,
    value: float | None,
    limit: float | None,
    importance: float | None = None,
) -> DriftRow:
    """The column has drifted where its statistic, its missing values or new categories say so.

    To the model a category that it was never trained on is as good as a missing value: the two
    shares are held against the same limit, `max_null_shift`.

    Args:
        value: the statistic of the contract's method; None where a side has no value.
        limit: what it is held against; for `ks`, the p-value below which a column has drifted.
        importance: share of the model's gain by this column; None where it is not known.
    """
    nulls = float(reference.isna().mean()), float(current.isna().mean())
    unseen, share = unseen_categories(kind, reference, current)
    reasons = tuple(_reasons(watched, value, limit, nulls, share))
    return DriftRow(
        column=watched.column,
        kind=kind,
        method=watched.method,
        value=value,
        threshold=watched.threshold,
        limit=limit,
        drifted=bool(reasons),
        reasons=reasons,
        effect=effect_of(kind, reference.dropna(), current.dropna()),
        n_reference=int(reference.notna().sum()),
        n_current=int(current.notna().sum()),
        null_reference=nulls[0],
        null_current=nulls[1],
        unseen=unseen,
        unseen_share=share,
        silent=nulls[1] - nulls[0] > watched.max_null_shift,
        importance=importance,
    )


def unseen_categories(
    kind: Kind, reference: "pd.Series[float]", current: "pd.Series[float]"
) -> tuple[tuple[str, ...], float]:
    """Categories of `current` that `reference` never had, most frequent first, and their share."""
    if kind == "number" or current.empty:
        return (), 0.0
    new = current[current.notna() & ~current.isin(reference.dropna().unique())]
    names = tuple(str(name) for name in new.value_counts().index[:SHOWN])
    return names, len(new) / len(current)


def effect_of(kind: Kind, reference: "pd.Series[float]", current: "pd.Series[float]") -> str:
    """The change in the column's own terms; both sides without missing values.

    A number's mean, and by how many of the reference's standard deviations it moved; a category's
    largest change of share.
    """
    if reference.empty or current.empty:
        return "no values to compare"
    if kind == "category":
        before = reference.value_counts(normalize=True)
        change = current.value_counts(normalize=True).sub(before, fill_value=0.0)
        name = str(change.abs().idxmax())
        was = float(before.get(name, 0.0))
        return f"{name}: {was:.1%} -> {was + float(change[name]):.1%}"
    old, new = float(reference.mean()), float(current.mean())
    deviation = float(reference.to_numpy(dtype=np.float64).std())
    moved = f" ({(new - old) / deviation:+.2f} sd)" if deviation > 0 else ""
    return f"mean {old:.4g} -> {new:.4g}{moved}"


def _reasons(
    watched: ColumnDrift,
    value: float | None,
    limit: float | None,
    nulls: tuple[float, float],
    unseen_share: float,
) -> Iterable[str]:
    if value is not None and limit is not None:
        if watched.method == "ks" and value < limit:
            yield f"ks p-value {value:.2g} < {limit:g}"
        if watched.method != "ks" and value > limit:
            yield f"{watched.method} {value:.3f} > {limit:.3f}"
    if abs(nulls[1] - nulls[0]) > watched.max_null_shift:
        yield f"missing {nulls[0]:.1%} -> {nulls[1]:.1%}, tolerated {watched.max_null_shift:.1%}"
    if unseen_share > watched.max_null_shift:
        yield f"unseen categories {unseen_share:.1%} > {watched.max_null_shift:.1%}"
