"""Pictures of drift and of live performance, as PNG bytes for metadata and reports."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    return _png(figure)


def _in_limits(row: DriftRow) -> float:
    """1 is the limit; a p-value counts by how far it lies below its own."""
    if row.value is None or row.limit is None:
        return 0.0
    if row.method == "ks":
        return row.limit / max(row.value, row.limit / 10)
    return row.value / row.limit


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
