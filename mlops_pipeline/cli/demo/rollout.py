"""Canary and rollback under live traffic: a good version reaches everybody, a bad one leaves."""

import itertools
import os
import threading
import time
from collections import Counter
from typing import Any

from mlops_pipeline.cli.demo.release import passed, train
from mlops_pipeline.cli.demo.service import count, live_rows, predict_url, publish, unhappy
from mlops_pipeline.cli.demo.story import Story, StoryBroken
from mlops_pipeline.cli.demo.traffic import again_and_again
from mlops_pipeline.data.windows import Window
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.ledger import champion, decisions, incidents, quarantine, rollouts, versions
from mlops_pipeline.ledger.rollouts import RolloutRow, RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.serving.client import Reply
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayReport, ReplayRequest

CANARY_MONTH = "2013-07"
THIRD_RELEASE = "2013-08-01"  # trained on January to June, judged on July
STEP_LIMIT = 400  # steps of one rollout: a story must end
ROWS = 3000  # distinct flights that the traffic repeats with new ids


def canary(story: Story) -> None:
    """The second version is rolled out in steps, each on evidence, and promoted."""
    version = story.facts["second_version"]
    stable = story.facts["first_version"]
    row, report = _roll_out(story, version)
    count(story, report)
    story.claim(
        row.state is RolloutState.PROMOTED,
        f"version {version} was promoted: {row.reason[:80]}",
    )
    story.facts["promoted"] = True
    weights = [s["weight"] for s in story.facts["weights"] if s["candidate"] == version]
    wanted = [round(100 * step) for step in story.contract.rollout.steps]
    story.claim(
        [w for w, _ in itertools.groupby(weights) if w] == wanted,
        "its share of users grew only through the contract's steps",
    )
    story.claim(
        report.failed == 0 and report.refused == 0,
        f"{report.answered:,} requests during the rollout, none failed {unhappy(report)}",
    )
    with reading(story.house.ledger) as view:
        leading = champion.read(view, story.contract.name)
        judged = decisions.of_rollout(view, row.id)
    story.claim(
        leading is not None and (leading.version, leading.previous) == (version, stable),
        "the ledger's pointer moved by compare-and-set",
    )
    story.claim(
        sum(d.action in ("advance", "promote") for d in judged) >= len(wanted),
        f"every step is recorded with its evidence ({len(judged)} decisions)",
    )
    host = story.house.node.state().host(story.contract.name, stable)
    story.claim(host is not None and host.alive, f"version {stable} stays warm, ready to return")
    alias = story.house.registry.alias(story.contract.name, "champion")
    story.claim(alias == version, "MLflow's alias follows the ledger")


def rollback(story: Story) -> None:
    """A further version passes offline, fails in service, is caught, and leaves by itself."""
    ran = train(story, THIRD_RELEASE)
    version = passed(story, ran, "third")
    stable = story.facts["second_version"]
    _plant_fault(story, version)
    row, report = _roll_out(story, version)
    planted = story.facts["failed_by"][version]
    count(story, report, planted)
    story.claim(
        row.state is RolloutState.ROLLED_BACK,
        f"version {version} was rolled back: {row.reason[:100]}",
    )
    story.facts["rolled_back"] = True
    _claim_recorded(story, row)
    story.claim(
        report.failed + report.refused == planted,
        f"only the planted fault failed requests ({planted} of {report.sent:,})",
    )
    with reading(story.house.ledger) as view:
        leading = champion.read(view, story.contract.name)
        lineage = versions.get(view, story.contract.name, version).lineage
        barred = quarantine.is_quarantined(view, story.contract.name, lineage)
        told = [i for i in incidents.open_incidents(view) if version in i.cause]
    story.claim(leading is not None and leading.version == stable, f"version {stable} serves on")
    story.claim(barred, f"version {version} is in quarantine")
    story.claim(bool(told), "an incident is open")
    story.claim(
        any("rolled back" in str(body) for body in story.webhook.received),
        "the alert reached the webhook",
    )


def _claim_recorded(story: Story, row: RolloutRow) -> None:
    """The decision stands in the ledger with its numbers."""
    with reading(story.house.ledger) as view:
        found = decisions.of_rollout(view, row.id)
    evidence = next(d.evidence for d in found if d.action == "roll_back")
    confirmation = evidence["confirmation"]
    seconds = float(confirmation["seconds_to_zero_weight"])
    story.facts["rollback"] = {
        "requests_to_decision": evidence["candidate_requests"],
        "seconds_to_zero_weight": round(seconds, 4),
        "by": confirmation["retreat"]["by"],
        "reason": row.reason,
    }
    story.claim(
        confirmation["probes"] > 0,
        f"zero weight was confirmed by real requests, {1000 * seconds:.0f} ms after the verdict",
    )


def _plant_fault(story: Story, version: str) -> None:
    """The version's server fails and slows down after it has served a while, as a leak would."""
    if story.profile.fault:
        os.environ["MLOPS_DRILL"] = f"{story.contract.name}/{version}:{story.profile.fault}"
        story.closing.callback(os.environ.pop, "MLOPS_DRILL")


def _roll_out(story: Story, version: str) -> tuple[RolloutRow, ReplayReport]:
    """The rollout's steps ran one after the other under live traffic, until it ended."""
    publish(story, Window.of_month(CANARY_MONTH).start.date())
    rows = live_rows(story, CANARY_MONTH, ROWS)
    requests = again_and_again(story.contract, rows, mark=f"r{version}-", limit=story.profile.limit)
    model = story.contract.name
    failed_by: Counter[str] = Counter()
    lock = threading.Lock()

    def listen(request: ReplayRequest, reply: Reply) -> None:
        if reply.failure is not None or reply.status >= 400:
            name = reply.headers.get("x-served-by", "unknown") if reply.headers else "unknown"
            with lock:
                failed_by[name.removeprefix(cluster_name(model, ""))] += 1

    with BackgroundReplay(
        predict_url(story),
        requests,
        rate=story.profile.rate,
        concurrency=story.profile.concurrency,
        listener=listen,
    ) as traffic:
        row = _until_ended(story, version, traffic)
        time.sleep(0.5)  # users go on asking after the end: what they get is part of the claim
        report = traffic.stop()
    story.facts["failed_by"] = failed_by
    return row, report


def _until_ended(story: Story, version: str, traffic: BackgroundReplay) -> RolloutRow:
    config: dict[str, Any] = {"ops": {"read_world": {"candidate": version, "reason": "the story"}}}
    shown: tuple[object, ...] = ()
    for _ in range(STEP_LIMIT):
        ran = story.run("rollout_step", **config)
        story.require(ran.success, f"a rollout step failed: {ran.failures}")
        config = {}
        with reading(story.house.ledger) as view:
            row = rollouts.all_of(view, story.contract.name)[-1]
        shown = _show(story, row, shown)
        if row.state in rollouts.ENDED:
            return row
        story.require(traffic.running, "the traffic ended before the rollout did")
    raise StoryBroken(f"the rollout did not end within {STEP_LIMIT} steps")


def _show(story: Story, row: RolloutRow, before: tuple[object, ...]) -> tuple[object, ...]:
    """A change of state or weight is told once, and kept for the summary."""
    routes = story.house.node.state().routes.get(row.model)
    weight = routes.arms.weight if routes and routes.arms.candidate == row.candidate else 0
    if row.state is RolloutState.PROMOTED:
        weight = 10_000
    now = (row.state, weight)
    if now != before:
        begun = story.facts.setdefault("rollouts_began", time.monotonic())
        at = round(time.monotonic() - begun, 1)
        story.facts.setdefault("weights", []).append(
            {"at": at, "candidate": row.candidate, "weight": weight, "state": row.state.value}
        )
        story.say(f"version {row.candidate}: {row.state.value}, {weight / 100:g} % of users")
    return now
