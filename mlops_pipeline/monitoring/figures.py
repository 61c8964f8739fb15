"""Pictures of drift and of live performance, as PNG bytes for metadata and reports."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlops_pipeline.monitoring.live import LivePerformance
from mlops_pipeline.monitoring.maturity import MaturityCurve
from mlops_pipeline.monitoring.records import DriftReport, DriftRow

QUIET, LOUD = "#7a8ca3", "#c0392b"


def drift_figure(report: DriftReport) -> bytes:
    """Each watched column's statistic in units of its limit; what drifted stands out (PNG)."""
    rows = [*report.rows, *([report.prediction] if report.prediction else [])]
    figure = Figure(figsize=(8.5, 0.8 + 0.42 * max(len(rows), 1)), layout="constrained")
    axes: Axes = figure.subplots()
    lengths = [_in_limits(row) for row in rows]
    colours = [LOUD if row.drifted else QUIET for row in rows]
    axes.barh(range(len(rows)), lengths, color=colours, height=0.62)
    axes.axvline(1.0, color="#333333", linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [row.column for row in rows])
    axes.invert_yaxis()
    beside = axes.get_yaxis_transform()  # x in axes, y in rows
    for place, row in enumerate(rows):
        axes.text(1.02, place, row.effect, va="center", fontsize=8, transform=beside)
    axes.set_xlim(0, 1.05 * max([1.0, *lengths]))
    axes.set_xlabel("statistic / limit")
    axes.set_title(
        f"{report.model}: {report.outcome}, {report.n_current} rows against {report.n_reference}",
        fontsize=10,
        loc="left",
    )
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def maturity_figure(curve: MaturityCurve, mature_hours: float) -> bytes:
    """Share of predictions that are told of by age, and the age from which they count (PNG)."""
    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.step([0.0, *curve.hours], [0.0, *curve.share], where="post", color=QUIET)
    axes.axvline(mature_hours, color=LOUD, linewidth=1, linestyle="--")
    axes.set_xlabel("hours since the event")
    axes.set_ylabel("told of")
    axes.set_ylim(0, 1.02)
    axes.set_title(f"scored from {mature_hours:g} hours on", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def slice_figure(found: LivePerformance) -> bytes:
    """The live metric of each slice with its interval; slices without one are left out (PNG)."""
    parts = [part for part in found.slices if part.estimate.value is not None]
    figure = Figure(figsize=(7.5, 0.9 + 0.28 * max(len(parts), 1)), layout="constrained")
    axes: Axes = figure.subplots()
    for place, part in enumerate(parts):
        one = part.estimate
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place, place], color=QUIET, linewidth=2)
        if one.value is not None:
            axes.plot([one.value], [place], "o", color=LOUD, markersize=4)
    axes.set_yticks(
        range(len(parts)), [f"{part.by} {part.value} (n {part.rows})" for part in parts]
    )
    axes.invert_yaxis()
    axes.set_xlabel(", ".join(sorted({part.metric for part in parts})))
    axes.set_title(f"{found.model} version {found.version} by slice", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def _in_limits(row: DriftRow) -> float:
    """1 is the limit; a p-value counts by how far it lies below its own."""
    if row.value is None or row.limit is None:
        return 0.0
    if row.method == "ks":
        return row.limit / max(row.value, row.limit / 10)
    return row.value / row.limit


def as_png(figure: Figure) -> bytes:
    """The figure's bytes: equal figures, equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
