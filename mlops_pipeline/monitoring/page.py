"""The live page: what dashboards show, from the ledger alone, as one HTML file for a browser."""

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sqlalchemy import Connection

from mlops_pipeline.ledger import incidents, looks, outbox, retrains
from mlops_pipeline.ledger.looks import Look, LookKind
from mlops_pipeline.monitoring.estimate import ASSUMES
from mlops_pipeline.monitoring.figures import LOUD, QUIET, as_png

SHOWN = ("roc_auc", "log_loss", "ece", "cost", "mae", "rmse", "r2", "quantile_coverage")
PANELS = 4


def live_page(tx: Connection, models: Sequence[str], now: datetime) -> str:
    """Performance, drift, incidents and retraining of these models; needs no network to read."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    shown = [
        {
            "name": model,
            "performance": _inline(performance_figure(seen)) if seen else None,
            "drift": _inline(drift_over_time(drifts)) if drifts else None,
            "last": seen[-1] if seen else None,
            "last_drift": drifts[-1] if drifts else None,
            "retrains": retrains.history(tx, model),
        }
        for model in models
        for seen in [_looks(tx, model, LookKind.PERFORMANCE)]
        for drifts in [_looks(tx, model, LookKind.DRIFT)]
    ]
    return environment.get_template("page.html.jinja").render(
        models=shown,
        incidents=incidents.open_incidents(tx),
        untold=outbox.undelivered(tx),
        assumes=ASSUMES,
        now=f"{now:%Y-%m-%d %H:%M} UTC",
    )


def performance_figure(seen: Sequence[Look]) -> bytes:
    """Each metric by window with its interval, and what the scores alone had promised (PNG)."""
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    shown = [name for name in SHOWN if name in seen[-1].numbers["metrics"]][:PANELS]
    for axes, metric in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _metric(axes, seen, metric)
    return as_png(figure)


def drift_over_time(seen: Sequence[Look]) -> bytes:
    """Every watched column's statistic in units of its limit, by window (PNG)."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    axes: Axes = figure.subplots()
    windows = [look.window for look in seen]
    names = sorted({name for look in seen for name in look.numbers.get("columns", {})})
    for name in names:
        points = [look.numbers.get("columns", {}).get(name) or {} for look in seen]
        shares = [
            p["value"] / p["limit"] if p.get("value") and p.get("limit") else float("nan")
            for p in points
        ]
        axes.plot(windows, shares, marker="o", markersize=3, label=name)
    axes.axhline(1.0, color="#333333", linewidth=1, linestyle="--")
    axes.set_ylabel("statistic / limit")
    if names:
        axes.legend(fontsize=7, ncols=4, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def _metric(axes: Axes, seen: Sequence[Look], metric: str) -> None:
    for place, look in enumerate(seen):
        one = look.numbers["metrics"].get(metric) or {}
        if one.get("low") is not None:
            axes.plot([place, place], [one["low"], one["high"]], color=QUIET, linewidth=2)
        if one.get("value") is not None:
            axes.plot([place], [one["value"]], "o", color=QUIET, markersize=4)
        told = (look.numbers.get("estimated") or {}).get(metric)
        if told is not None:
            axes.plot([place], [told], "x", color=LOUD, markersize=5)
    axes.set_xticks(range(len(seen)), [look.window for look in seen], rotation=45, fontsize=7)
    axes.set_title(metric, fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _looks(tx: Connection, model: str, kind: LookKind) -> list[Look]:
    return [look for look in looks.all_of(tx, model) if look.kind is kind]


def _inline(png: bytes) -> str:
    return base64.b64encode(png).decode()
