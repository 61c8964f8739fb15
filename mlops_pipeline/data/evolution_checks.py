"""The check of columns that came, went or changed their kind since they were trusted."""

from collections.abc import Sequence

from mlops_pipeline.contract.columns import Column
from mlops_pipeline.data.inspected import Finding, Inspected, months_of
from mlops_pipeline.data.source_columns import ColumnChange, changes, kinds_of


def schema_evolution(seen: Inspected, columns: Sequence[Column]) -> Finding:
    """Since the newest trusted month, or the one before the newest, the source gained, lost and
    retyped no column, and since the trusted rows the contract neither."""
    found: list[tuple[str, ColumnChange]] = []
    if seen.reference is not None:
        stored = changes(kinds_of(seen.reference), kinds_of(seen.frame))
        found += [("the trusted rows", change) for change in stored]
    now, before = _compared_months(seen)
    if before:
        known = {change for _, change in found}
        moved = changes(seen.source_columns[before], seen.source_columns[now])
        found += [(before, change) for change in moved if change not in known]
    if not found:
        said = f"the source of {now} has the columns of {before}" if before else "nothing noted yet"
        return Finding(True, f"no column came, went or changed: {said}", 0.0, 0.0)
    rows: tuple[dict[str, object], ...] = tuple(
        {
            "column": change.column,
            "change": change.change,
            "before": change.before,
            "now": change.now,
            "since": since,
        }
        for since, change in found
    )
    summary = "; ".join(f"{change} since {since}" for since, change in found)
    return Finding(False, summary, float(len(found)), 0.0, rows)


def _compared_months(seen: Inspected) -> tuple[str, str]:
    """The newest noted month of the frame, and the one that it is held against ("" for none)."""
    time = seen.contract.event_time
    if seen.lacks(time):
        return "", ""
    noted = [month for month in seen.months() if month in seen.source_columns]
    if not noted:
        return "", ""
    earlier = [month for month in seen.source_columns if month < noted[-1]]
    if seen.reference is not None and time in seen.reference:
        trusted = [m for m in months_of(seen.reference[time]) if m in seen.source_columns]
        earlier = trusted[-1:] if trusted and trusted[-1] < noted[-1] else earlier
    return noted[-1], earlier[-1] if earlier else ""
