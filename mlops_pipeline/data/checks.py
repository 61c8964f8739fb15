"""Checks of rows, each by itself: columns, empty values, bounds, categories, identity, relations.

Nothing is raised: a bad frame is a finding. Where a column is missing, the schema check says so,
and what rests on it fails.
"""

from collections.abc import Sequence

import numpy as np

from mlops_pipeline.contract.columns import Column, Relation
from mlops_pipeline.contract.expressions import parse_expression
from mlops_pipeline.data.inspected import (
    Finding,
    Inspected,
    failing_rows,
    row_finding,
    shown,
    unjudged,
)
from mlops_pipeline.data.relations import broken_rows
from mlops_pipeline.data.schema import structure_faults


def schema(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Columns, their order and their types are the contract's."""
    faults = structure_faults(seen.contract, seen.frame)
    if not faults:
        return Finding(True, f"{len(columns)} columns as the contract says", 0.0, 0.0)
    return Finding(False, "; ".join(faults), float(len(faults)), 0.0)


def nulls(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """In no month is a larger share of a column empty than it may be."""
    if missing := seen.lacks(seen.contract.event_time):
        return unjudged(missing)
    worst: tuple[float, float, float, str] = (-1.0, 0.0, 0.0, "no column can be judged")
    counts: dict[str, int] = {}
    failing = []
    months = seen.months()
    for column, values in seen.readable(columns):
        limit = column.max_null_share if column.nullable else 0.0
        empty = values.isna().to_numpy()
        shares = {month: float(empty[rows].mean()) for month, rows in months.items() if len(rows)}
        shares["all rows"] = float(empty.mean()) if len(empty) else 0.0
        place, share = max(shares.items(), key=lambda item: item[1])
        text = f"{column.name}: {share:.2%} of {place} empty, limit {limit:.2%}"
        worst = max(worst, (share - limit, share, limit, text))
        if share > limit:
            counts[f"{column.name}: empty"] = int(empty.sum())
            failing.append((column, empty, "empty"))
    return Finding(worst[0] <= 0, worst[3], worst[1], worst[2], failing_rows(seen, failing), counts)


def ranges(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Every number is finite and between its column's bounds."""
    failing = []
    for column, values in seen.readable(columns):
        numbers = values.to_numpy(dtype=np.float64)
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        bad = np.isinf(numbers) | (numbers < low) | (numbers > high)
        failing.append((column, bad, f"outside {low:g} to {high:g}"))
    return row_finding(seen, failing, "every number is within its bounds")


def categories(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """In no month are more of a column's categories unknown to the contract than may be."""
    failing, worst = [], (-1.0, 0.0, 0.0, "every category is in the contract")
    counts: dict[str, int] = {}
    groups = {} if seen.lacks(seen.contract.event_time) else seen.months()
    for column, values in seen.readable(columns):
        unknown = (~values.isin(column.categories) & values.notna()).to_numpy()
        if not unknown.any():
            continue
        shares = {m: float(unknown[rows].mean()) for m, rows in groups.items() if len(rows)}
        shares["all rows"] = float(unknown.mean())
        place, share = max(shares.items(), key=lambda item: item[1])
        limit = column.max_unknown_share
        seldom = f"{column.name}: {share:.2%} of {place} unknown, limit {limit:.2%}"
        worst = max(worst, (share - limit, share, limit, seldom))
        if share > limit:
            counts[f"{column.name}: not in the contract"] = int(unknown.sum())
            failing.append((column, unknown, "not in the contract"))
    summary = "; ".join(f"{what} in {n} of {len(seen.frame)} rows" for what, n in counts.items())
    rows = failing_rows(seen, failing)
    return Finding(not counts, summary or worst[3], worst[1], worst[2], rows, counts)


def uniqueness(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """No two rows are of the same entity."""
    entity = [column.name for column in columns]
    if missing := seen.lacks(*entity):
        return unjudged(missing)
    twice = seen.frame.duplicated(entity, keep=False).to_numpy()
    failing = [(columns[0], twice, "entity more than once")]
    return row_finding(seen, failing, f"no two rows share {', '.join(entity)}")


def relations(seen: Inspected, wanted: Sequence[Relation]) -> Finding:
    """What the contract says of the columns of one row holds, in all but the rows it allows."""
    counts: dict[str, int] = {}
    failing, texts = [], []
    worst: tuple[float, float, float, str] = (-1.0, 0.0, 0.0, "every relation holds")
    for relation in wanted:
        if missing := seen.lacks(*parse_expression(relation.holds).columns):
            texts.append(f"{relation.name}: cannot be judged, {', '.join(missing)} is missing")
            counts[relation.name] = len(seen.frame)
            continue
        found = broken_rows(seen, relation)
        judged, broken = found.judged, found.broken
        share = float(broken.sum() / judged.sum()) if judged.any() else 0.0
        limit = relation.max_share
        text = (
            f"{relation.name}: {share:.2%} of {int(judged.sum())} rows break "
            f"`{relation.holds}`, limit {limit:.2%}"
        )
        worst = max(worst, (share - limit, share, limit, text))
        if share > limit:
            counts[relation.name] = int(broken.sum())
            texts.append(text)
            failing.append((relation, broken))
    summary = "; ".join(texts) or worst[3]
    shown = tuple(row for relation, bad in failing for row in _related(seen, relation, bad))
    return Finding(not counts, summary, worst[1], worst[2], shown, counts)


def _related(
    seen: Inspected, relation: Relation, broken: np.ndarray
) -> tuple[dict[str, object], ...]:
    """The first rows that break the relation, with the values that it compares."""
    columns = [seen.contract.column(name) for name in parse_expression(relation.holds).columns]
    found = failing_rows(seen, [(columns[0], broken, relation.name)])
    places = np.flatnonzero(broken)[: len(found)]
    return tuple(
        {**row, **{c.name: shown(c, seen.frame[c.name].iloc[int(place)]) for c in columns}}
        for row, place in zip(found, places, strict=True)
    )
