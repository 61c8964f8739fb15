"""What the story comes to: one object for machines, one table and one page for people."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure
from rich.table import Table

from mlops_pipeline.cli.demo.story import Story, peak_mib

TEMPLATE = Path(__file__).parent / "page.html.jinja"


def summarise(story: Story, broken: str | None) -> dict[str, Any]:
    """Everything that was seen, as plain values; `ok` only if no claim failed."""
    facts = story.facts
    traffic = facts.get("traffic", {})
    return {
        "ok": broken is None,
        "broken": broken,
        "profile": story.profile.name,
        "stages": story.seconds,
        "seconds": round(sum(story.seconds.values()), 1),
        "versions": facts.get("versions", {}),
        "requests_sent": traffic.get("sent", 0),
        "requests_answered": traffic.get("answered", 0),
        "requests_failed": traffic.get("failed", 0),
        "requests_failed_by_planted_fault": traffic.get("planted", 0),
        "live": facts.get("live"),
        "drift": facts.get("drift", {"fired": False}),
        "promoted": facts.get("promoted", False),
        "rolled_back": facts.get("rolled_back", False),
        "rollback": facts.get(
            "rollback", {"requests_to_decision": None, "seconds_to_zero_weight": None}
        ),
        "weights": facts.get("weights", []),
        "claims": story.claims,
        "peak_mib": peak_mib(),
        "home": str(story.house.settings.home),
    }


def table(summary: dict[str, Any]) -> Table:
    """The summary on a terminal."""
    shown = Table(title="What happened", show_header=False, title_justify="left")
    shown.add_column(style="bold")
    shown.add_column()
    for version, facts in summary["versions"].items():
        gain = (
            "no baseline" if facts["gain"] is None else f"{facts['gain']:+.3f} AUC on the champion"
        )
        shown.add_row(f"version {version}", f"{facts['candidate']}, AUC {facts['roc_auc']}, {gain}")
    shown.add_row("weights over time", " → ".join(_step(step) for step in summary["weights"]))
    shown.add_row(
        "requests",
        f"{summary['requests_sent']:,} sent, {summary['requests_answered']:,} answered, "
        f"{summary['requests_failed']} failed, "
        f"{summary['requests_failed_by_planted_fault']} failed by the planted fault",
    )
    back = summary["rollback"]
    if back["requests_to_decision"] is not None:
        shown.add_row(
            "rollback",
            f"decided after {back['requests_to_decision']} requests; zero weight confirmed "
            f"{1000 * back['seconds_to_zero_weight']:.0f} ms after the verdict",
        )
    shown.add_row("drift", str(summary["drift"].get("reason", "not looked at"))[:160])
    shown.add_row("claims that held", str(len(summary["claims"])))
    shown.add_row("time", f"{summary['seconds']} s, {summary['peak_mib']} MiB in this process")
    return shown


def write_page(summary: dict[str, Any], folder: Path) -> Path:
    """`report.html` and `summary.json` stand in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text())
    path = folder / "report.html"
    path.write_text(page.render(s=summary, weights=_weights_figure(summary["weights"])))
    return path


def _step(step: dict[str, Any]) -> str:
    return f"v{step['candidate']} {step['weight'] / 100:g} %"


def _weights_figure(weights: list[dict[str, Any]]) -> str:
    """The candidates' share of users over time, as a data URI."""
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    for candidate in sorted({step["candidate"] for step in weights}):
        steps = [step for step in weights if step["candidate"] == candidate]
        axes.step(
            [step["at"] for step in steps],
            [step["weight"] / 100 for step in steps],
            where="post",
            marker="o",
            label=f"version {candidate}",
        )
    axes.set_xlabel("seconds since the first rollout began")
    axes.set_ylabel("% of users")
    if weights:
        axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
