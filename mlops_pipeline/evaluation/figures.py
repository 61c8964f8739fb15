"""The report's figures, each as the bytes of one PNG; colours say what the words say."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import EvaluationReport, SliceStatus
from mlops_pipeline.evaluation.verdict import Finding, GateResult, Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, BLUE = "#1f2933", "#9aa5b1", "#2b6cb0"
GOOD, BAD, OPEN = "#2f855a", "#c53030", "#b7791f"
MOST_FEATURES = 12
DPI = 130
COLOURS = {
    Outcome.SUPERIOR: GOOD,
    Outcome.NON_INFERIOR: GOOD,
    Outcome.MET: GOOD,
    Outcome.INFERIOR: BAD,
    Outcome.MISSED: BAD,
    Outcome.MISSING: BAD,
    Outcome.INCONCLUSIVE: OPEN,
    Outcome.SUSPICIOUS: OPEN,
}


def figures(report: EvaluationReport, gate: GateResult) -> dict[str, bytes]:
    """Name to PNG, each only where there is something to draw."""
    drawn = {
        "criteria": _criteria(gate),
        "slices": _slices(report, gate),
        "reliability": _reliability(report),
        "residuals": _residuals(report),
        "importance": _bars(report.importance, "share of the model's gain"),
        "attributions": _bars(report.attributions, f"mean change, {answers_unit(report)}"),
    }
    return {name: _png(figure) for name, figure in drawn.items() if figure is not None}


def _criteria(gate: GateResult) -> "Figure | None":
    """One panel a criterion, because their units differ; the dotted line is the bound."""
    shown = [f for f in gate.findings if f.kind is Kind.CRITERION and f.estimate is not None]
    shown = [f for f in shown if f.estimate and f.estimate.value is not None]
    if not shown:
        return None
    figure = _figure(7.6, 0.85 * len(shown) + 0.3)
    for place, finding in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, place + 1)
        _interval(axes, 0, finding)
        if finding.bound is not None:
            axes.axvline(finding.bound, color=INK, linestyle=":", linewidth=1.2)
        axes.set_yticks([0], [finding.subject.replace(" against", "\nagainst")])
        axes.set_ylim(-0.8, 0.8)
        axes.margins(x=0.25)
        _quiet(axes, grid=False)
    return figure


def _slices(report: EvaluationReport, gate: GateResult) -> "Figure | None":
    """Gains with intervals against the champion, worst on top within each cut."""
    tested = {f"{s.by} = {s.value}": s for s in report.slices if s.status is SliceStatus.EVALUATED}
    found = [f for f in gate.findings if f.kind is Kind.SLICE and f.subject in tested]
    if not found:
        return None
    order = list(dict.fromkeys(tested[f.subject].by for f in found))
    found.sort(key=lambda f: (order.index(tested[f.subject].by), _value(f)))
    figure = _figure(7.6, 0.235 * len(found) + 0.9)
    axes = figure.add_subplot()
    for place, finding in enumerate(found):
        colour = BAD if finding.outcome is Outcome.INFERIOR else BLUE
        _interval(axes, place, finding, colour=colour)
        if finding.bound is not None:
            axes.plot(finding.bound, place, marker="|", color=INK, markersize=9)
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set_yticks(range(len(found)), [f.subject for f in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel("gain over the champion (right is better); the tick is the allowed loss")
    _quiet(axes)
    return figure


def _reliability(report: EvaluationReport) -> "Figure | None":
    bins = [
        (b.score, b.observed.value, b.observed.low or b.observed.value, b.observed.high)
        for b in report.reliability
        if b.observed.value is not None
    ]
    if not bins:
        return None
    figure = _figure(4.4, 4.2)
    axes = figure.add_subplot()
    top = max(max(score, high or observed) for score, observed, _, high in bins)
    bottom = min(0.0, *(min(score, low) for score, _, low, _ in bins))
    top, bottom = top + 0.08 * (top - bottom), bottom * 1.08
    axes.plot([bottom, top], [bottom, top], color=FAINT, linewidth=1, linestyle="--")
    for score, observed, low, high in bins:
        axes.plot([score, score], [low, high or observed], color=BLUE, alpha=0.5)
    axes.plot([b[0] for b in bins], [b[1] for b in bins], marker="o", color=BLUE, markersize=5)
    axes.set(xlim=(bottom, top), ylim=(bottom, top))
    rates = TASKS[report.task].calibrated
    axes.set_xlabel("mean score" if rates else "mean answer")
    axes.set_ylabel("observed rate" if rates else "mean truth")
    _quiet(axes)
    return figure


def _residuals(report: EvaluationReport) -> "Figure | None":
    """How often the truth lay how far above (right) or below (left) the answer."""
    off = report.residuals
    if off is None:
        return None
    figure = _figure(4.6, 3.2)
    axes = figure.add_subplot()
    axes.stairs(off.rows, off.edges, fill=True, color=BLUE, alpha=0.75)
    axes.axvline(0, color=INK, linewidth=1)
    axes.axvline(off.median, color=OPEN, linewidth=1.4, linestyle="--")
    axes.set_xlabel(f"truth less answer, {report.unit or 'in its unit'} (dashed: the median)")
    axes.set_ylabel("rows; the outermost cells hold the tails")
    _quiet(axes)
    return figure


def answers_unit(report: EvaluationReport) -> str:
    """What attributions are told in."""
    return "log-odds" if TASKS[report.task].calibrated else report.unit or "in its unit"


def _bars(values: Mapping[str, float], label: str) -> "Figure | None":
    """The features with the largest values, largest on top."""
    top = sorted(values.items(), key=lambda item: -item[1])[:MOST_FEATURES]
    if not top or top[0][1] <= 0:
        return None
    figure = _figure(4.6, 0.26 * len(top) + 0.8)
    axes = figure.add_subplot()
    axes.barh(range(len(top)), [value for _, value in top], color=BLUE, height=0.62)
    axes.set_yticks(range(len(top)), [name for name, _ in top])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    _quiet(axes)
    return figure


def _interval(axes: "Axes", place: float, finding: Finding, *, colour: str | None = None) -> None:
    estimate = finding.estimate
    if estimate is None or estimate.value is None:
        return
    colour = colour or COLOURS.get(finding.outcome, FAINT)
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2.2)
    axes.plot(estimate.value, place, marker="o", color=colour, markersize=5.5)


def _value(finding: Finding) -> float:
    estimate = finding.estimate
    return 0.0 if estimate is None or estimate.value is None else estimate.value


def _quiet(axes: "Axes", *, grid: bool = True) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0, labelsize=8.5, colors=INK)
    axes.xaxis.label.set(size=8.5, color=INK)
    axes.yaxis.label.set(size=8.5, color=INK)
    if grid:
        axes.grid(axis="x", color="#e4e7eb", linewidth=0.7)
        axes.set_axisbelow(True)


def _figure(width: float, height: float) -> "Figure":
    """A figure of its own: pyplot's global state is left alone."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    return content.getvalue()
