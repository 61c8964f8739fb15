"""What monitors found, as Dagster metadata: numbers to plot over time, tables, pictures."""

from pathlib import Path
from typing import Any

import dagster as dg

from mlops_pipeline.components.metadata import picture, table
from mlops_pipeline.monitoring.cohort import Cohort
from mlops_pipeline.monitoring.estimate import ASSUMES, UNESTIMATED
from mlops_pipeline.monitoring.figures import drift_figure, maturity_figure, slice_figure
from mlops_pipeline.monitoring.firing import Firing
from mlops_pipeline.monitoring.live import LivePerformance
from mlops_pipeline.monitoring.records import DriftReport


def label_metadata(cohort: Cohort, covered: float) -> dict[str, Any]:
    """How many labels came, how late, and from which age on answers are scored."""
    rows = cohort.rows
    metadata: dict[str, Any] = {
        "predictions": len(rows),
        "told": int(rows["told"].sum()),
        "corrected": int(rows["corrected"].sum()),
        "matured": int(rows["matured"].sum()),
        "coverage": covered,
        "maturity hours": cohort.maturity_hours,
        "as of": cohort.as_of.isoformat(),
    }
    for share in (0.5, 0.9):
        age = cohort.curve.age(share)
        if age is not None:
            metadata[f"hours until {share:.0%}"] = age
    if cohort.curve.told:
        png = maturity_figure(cohort.curve, cohort.maturity_hours)
        metadata["picture"] = picture(png, "labels by age")
    return metadata


def drift_metadata(report: DriftReport, firing: Firing, stored: str, page: Path) -> dict[str, Any]:
    """One row a column, with the picture and Evidently's page."""
    rows = [*report.rows, *([report.prediction] if report.prediction else [])]
    values = {f"statistic {r.column}": r.value for r in rows if r.value is not None}
    return {
        "fired": firing.fired,
        "windows": firing.text,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "drifted columns": len(report.drifted),
        "report": stored,
        "page": dg.MetadataValue.path(page),
        "columns": table(
            {
                "column": r.column,
                "method": r.method,
                "value": r.value,
                "limit": r.limit,
                "drifted": r.drifted,
                "importance": r.importance,
                "missing": f"{r.null_reference:.1%} -> {r.null_current:.1%}",
                "effect": r.effect,
            }
            for r in rows
        ),
        "picture": picture(drift_figure(report), "drift by column"),
        **({} if report.importance is None else {"importance": report.importance}),
        **values,
    }


def performance_metadata(found: LivePerformance, firing: Firing, stored: str) -> dict[str, Any]:
    """Realised beside estimated, each slice, and what they are held against."""
    realised = {n: e.value for n, e in found.metrics.items() if e.value is not None}
    estimated = {f"estimated {n}": v for n, v in (found.estimated or {}).items() if v == v}
    errors = {f"estimate error {n}": v for n, v in found.estimate_errors.items() if v == v}
    metadata: dict[str, Any] = {
        "version": found.version,
        "predictions": found.predictions,
        "labelled": found.labelled,
        "corrected": found.corrected,
        "coverage": found.coverage or 0.0,
        "trusted": found.trusted,
        "fired": firing.fired,
        "windows": firing.text,
        "outcome": found.outcome.value,
        "reason": found.reason,
        "report": stored,
        "an estimate assumes": UNESTIMATED if found.estimated is None else ASSUMES,
        "metrics": table(
            {
                "metric": name,
                "live": e.value,
                "low": e.low,
                "high": e.high,
                "estimated": (found.estimated or {}).get(name),
                "at release": {b.metric: b.released for b in found.bounds}.get(name),
            }
            for name, e in found.metrics.items()
        ),
        "slices": table(
            {
                "slice": f"{s.by} {s.value}",
                "metric": s.metric,
                "rows": s.rows,
                "value": s.estimate.value,
                "low": s.estimate.low,
                "high": s.estimate.high,
            }
            for s in found.slices
        ),
        **realised,
        **estimated,
        **errors,
    }
    if any(s.estimate.value is not None for s in found.slices):
        metadata["picture"] = picture(slice_figure(found), "live metrics by slice")
    return metadata
