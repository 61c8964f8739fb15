"""The first version in service: node, live traffic, late labels, drift."""

import os
import subprocess
import sys
import time
from datetime import date

import httpx
import pandas as pd

from mlops_pipeline.cli.demo.release import passed
from mlops_pipeline.cli.demo.story import Story
from mlops_pipeline.cli.demo.traffic import labels_of, requests_of, sample
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import NodeUnreachable
from mlops_pipeline.features.publish import publish_as_of
from mlops_pipeline.ledger import champion, versions
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.serving.replay import Progress, ReplayReport, replay

LIVE_MONTH = "2013-06"  # answered by the first version, two months after what it learnt from
START_SECONDS = 30


def serving(story: Story) -> None:
    """The node runs, and the first version is deployed with its flag."""
    publish(story, Window.of_month(LIVE_MONTH).start.date())
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_pipeline.cli.main", "serve", "--quiet"],
        env=dict(os.environ),
        start_new_session=True,  # Ctrl-C reaches the story first, which then stops the node
    )
    story.closing.callback(_stop, process)
    _until_up(story)
    model, version = story.contract.name, story.facts["first_version"]
    ran = story.run(
        "deploy_first",
        ops={
            "serve_first": {
                "version": version,
                "reason": "the demo's first version: there is no baseline yet",
            }
        },
    )
    story.claim_ran(ran, f"version {version} was deployed by its job")
    with reading(story.house.ledger) as view:
        row = versions.get(view, model, version)
        leading = champion.read(view, model)
    story.claim(row.first, 'the ledger says "first version, no baseline"')
    story.claim(
        leading is not None and leading.version == version,
        f"the ledger's pointer names version {version}",
    )
    answer = httpx.post(
        predict_url(story),
        content=_hello(story),
        headers={"content-type": "application/json"},
        timeout=5,
    )
    story.claim(
        answer.status_code == 200
        and answer.headers.get("x-served-by", "").endswith(f"v{version}")
        and 0 < answer.json()["probability"] < 1,
        f"a real request through Envoy is answered by version {version}",
    )


def live_traffic(story: Story) -> None:
    """A month of flights is asked about over HTTP, day by day; labels arrive afterwards."""
    frame = live_rows(story, LIVE_MONTH, story.profile.live_requests)
    report = _day_by_day(story, frame)
    story.claim(
        report.failed == 0 and report.refused == 0,
        f"{report.answered:,} requests were answered, none failed {unhappy(report)}"
        f"(p50 {report.p50_ms:.1f} ms, p99 {report.p99_ms:.1f} ms)",
    )
    story.facts["live"] = {"p50_ms": round(report.p50_ms, 2), "p99_ms": round(report.p99_ms, 2)}
    inbox.append(
        story.house.settings.labels / story.contract.name,
        list(labels_of(story.contract, frame, mark="live")),
    )
    ran = story.run("monitor", months=[LIVE_MONTH])
    story.claim_ran(ran, "the monitoring job ran on the month")
    shown = ran.metadata[f"{story.contract.name}/live_performance"]
    story.claim(
        shown["predictions"] >= 0.98 * len(frame),
        f"{shown['predictions']:,} logged predictions were found by their id",
    )
    story.claim(
        bool(shown["trusted"]),
        f"late labels were joined: live ROC AUC {shown['roc_auc']:.3f}, "
        f"coverage {100 * shown['coverage']:.0f} %",
    )
    story.facts["drift"] = ran.metadata[f"{story.contract.name}/drift"]


def drift(story: Story) -> None:
    """The sensor sees the drift and asks for the training job; the answer is a better version."""
    model = story.contract.name
    seen = story.facts["drift"]
    story.claim(bool(seen["fired"]), f"drift was found: {seen['reason'][:110]}")
    requests = story.driver.tick(f"{model}__drift")
    story.claim(
        len(requests) == 1 and requests[0].job_name == f"{model}__train",
        "the drift sensor requests the training job, once",
    )
    again = story.driver.tick(f"{model}__drift")
    story.claim(
        [r.run_key for r in again] == [r.run_key for r in requests],
        "asked again, it names the same run key: one retraining",
    )
    ran = story.driver.launch(requests[0])
    passed(story, ran, "second")
    scheduled = story.driver.schedule(f"{model}__retrain")
    story.claim(
        "cooling down" in scheduled or "same inputs" in scheduled,
        f"the schedule asks the same controller, and waits: {scheduled}",
    )
    gain = ran.metadata[f"{model}/evaluation"].get("roc_auc_gain", 0)
    story.claim(gain > 0, f"the retrained version is better on the same rows: {gain:+.3f} ROC AUC")
    story.facts["drift"] = {
        "fired": True,
        "reason": seen["reason"],
        "columns": seen["drifted columns"],
    }


def publish(story: Story, day: date) -> None:
    """Servers look up what was known on the morning of that day."""
    publish_as_of(
        story.contract,
        story.house.snapshots,
        story.house.settings.feature_snapshots / story.contract.name,
        day,
    )


def live_rows(story: Story, month: str, size: int) -> pd.DataFrame:
    """`size` flights of the month, spread evenly over it."""
    window = Window.of_month(month)
    stored = story.house.snapshots.commit(story.contract, window)
    return sample(story.house.snapshots.read(stored), size)


def predict_url(story: Story) -> str:
    """Where the application asks."""
    return f"http://127.0.0.1:{story.house.settings.port}/{story.contract.name}/predict"


def unhappy(report: ReplayReport) -> str:
    """What went wrong, by kind; empty where nothing did."""
    found = {**report.failures, **report.refusals}
    return f"but {found} " if found else ""


def count(story: Story, report: ReplayReport, planted: int = 0) -> None:
    """The story's totals grew by what a client saw."""
    total = story.facts.setdefault("traffic", {"sent": 0, "answered": 0, "failed": 0, "planted": 0})
    total["sent"] += report.sent
    total["answered"] += report.answered
    total["failed"] += report.failed + report.refused - planted
    total["planted"] += planted


def _day_by_day(story: Story, frame: pd.DataFrame) -> ReplayReport:
    """The rows' requests were sent, and the look-ups of the servers moved on with the days."""
    progress = Progress()
    days = frame[story.contract.event_time].dt.floor(f"{story.profile.refresh_days}D")
    for first, rows in frame.groupby(days, sort=True):
        publish(
            story, max(pd.Timestamp(str(first)).date(), Window.of_month(LIVE_MONTH).start.date())
        )
        replay(
            predict_url(story),
            requests_of(story.contract, rows, mark="live"),
            rate=story.profile.rate,
            concurrency=story.profile.concurrency,
            progress=progress,
        )
    report = progress.report()
    count(story, report)
    return report


def _hello(story: Story) -> bytes:
    return next(requests_of(story.contract, live_rows(story, LIVE_MONTH, 1), mark="hello")).body


def _until_up(story: Story) -> None:
    """The node answers on its control socket."""
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            story.house.node.state()
        except NodeUnreachable:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            return


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
