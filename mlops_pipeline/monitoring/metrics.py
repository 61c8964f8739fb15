"""What the ledger knows, as Prometheus metrics: quality, drift, rollouts, incidents, cost.

| metric | labels besides model | |
|---|---|---|
| `mlops_live_metric` | version, metric, bound | newest window: value, low, high |
| `mlops_live_estimate` | version, metric | what the scores alone had promised |
| `mlops_live_slice` | version, by, value, metric | newest window, by slice |
| `mlops_live_answers` | version, state | predictions, matured, labelled, missing |
| `mlops_live_coverage` | version | share of matured answers that are told of |
| `mlops_live_outcome` | version, outcome | 1 for the newest window's word |
| `mlops_drift_statistic`, `mlops_drift_limit` | version, column, method | newest window |
| `mlops_drift_missing` | version, column | share of missing values |
| `mlops_drift_outcome` | version, outcome | 1 for the newest window's word |
| `mlops_window_age_seconds` | kind | since somebody looked last |
| `mlops_incidents_open` | cause, severity | |
| `mlops_alerts_undelivered` | | news that has not reached everybody (no model) |
| `mlops_rollout_state` | version, state | 1 for the newest rollout's state |
| `mlops_rollout_step` | version | index of the newest rollout's step |
| `mlops_rollout_e_value` | version, guard, test | newest evidence of the newest rollout |
| `mlops_champion` | version | 1 for the version that leads |
| `mlops_retrains_total` | source, outcome | requests |
| `mlops_retrain_minutes_total` | | from launch to end |
| `mlops_daemon_silence_seconds` | | since the daemon's last beat (no model) |
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection

from mlops_pipeline.ledger import (
    champion,
    decisions,
    incidents,
    looks,
    outbox,
    retrains,
    rollouts,
)
from mlops_pipeline.ledger.looks import Look, LookKind

Sample = tuple[dict[str, str], float | None]


def ledger_families(
    tx: Connection, models: Iterable[str], *, now: datetime, heard: datetime | None
) -> Iterator[Metric]:
    """Every family of these models, as the ledger stands."""
    names = tuple(models)
    performance = _newest(tx, names, LookKind.PERFORMANCE)
    drift = _newest(tx, names, LookKind.DRIFT)
    yield from _performance(performance)
    yield from _drift(drift)
    ages: list[Sample] = [
        ({"model": look.model, "kind": look.kind.value}, (now - look.looked).total_seconds())
        for look in (*performance, *drift)
    ]
    yield _gauge("window_age_seconds", "since somebody looked last", ages)
    yield from _incidents(tx)
    yield from _rollouts(tx, names)
    yield from _retrains(tx, names)
    silence: list[Sample] = [] if heard is None else [({}, (now - heard).total_seconds())]
    yield _gauge("daemon_silence_seconds", "since the daemon's last beat", silence)


def _newest(tx: Connection, models: tuple[str, ...], kind: LookKind) -> list[Look]:
    return [look for model in models for look in looks.newest(tx, model, kind)]


def _performance(seen: list[Look]) -> Iterator[Metric]:
    metric: list[Sample] = []
    estimate: list[Sample] = []
    slices: list[Sample] = []
    answers: list[Sample] = []
    coverage: list[Sample] = []
    outcome: list[Sample] = []
    for look in seen:
        of, told = {"model": look.model, "version": look.version}, look.numbers
        for name, one in told["metrics"].items():
            metric += [
                ({**of, "metric": name, "bound": b}, one[b]) for b in ("value", "low", "high")
            ]
        estimate += [
            ({**of, "metric": name}, value) for name, value in (told["estimated"] or {}).items()
        ]
        slices += [
            (
                {**of, "by": part["by"], "value": part["value"], "metric": part["metric"]},
                part["estimate"]["value"],
            )
            for part in told["slices"]
        ]
        states = ("predictions", "matured", "labelled", "missing")
        answers += [({**of, "state": state}, told[state]) for state in states]
        coverage.append((of, told["coverage"]))
        outcome.append(({**of, "outcome": look.outcome}, 1))
    yield _gauge("live_metric", "live metric of the newest window", metric)
    yield _gauge("live_estimate", "metric estimated from scores alone", estimate)
    yield _gauge("live_slice", "live metric of the newest window by slice", slices)
    yield _gauge("live_answers", "answers of the newest window", answers)
    yield _gauge("live_coverage", "share of matured answers that are told of", coverage)
    yield _gauge("live_outcome", "what the newest window says", outcome)


def _drift(seen: list[Look]) -> Iterator[Metric]:
    statistic: list[Sample] = []
    limit: list[Sample] = []
    missing: list[Sample] = []
    outcome: list[Sample] = []
    for look in seen:
        of = {"model": look.model, "version": look.version}
        outcome.append(({**of, "outcome": look.outcome}, 1))
        for column, one in look.numbers["columns"].items():
            place = {**of, "column": column, "method": one["method"]}
            statistic.append((place, one["value"]))
            limit.append((place, one["limit"]))
            missing.append(({**of, "column": column}, one["missing"]))
    yield _gauge("drift_statistic", "drift statistic of the newest window", statistic)
    yield _gauge("drift_limit", "what the statistic is held against", limit)
    yield _gauge("drift_missing", "share of missing values", missing)
    yield _gauge("drift_outcome", "what the newest window says", outcome)


def _incidents(tx: Connection) -> Iterator[Metric]:
    counts: dict[tuple[str, str, str], float] = {}
    for one in incidents.open_incidents(tx):
        key = one.model, one.cause, one.severity.value
        counts[key] = counts.get(key, 0) + 1
    rows: list[Sample] = [
        ({"model": model, "cause": cause, "severity": severity}, count)
        for (model, cause, severity), count in counts.items()
    ]
    yield _gauge("incidents_open", "incidents that nobody has resolved", rows)
    untold = len(outbox.undelivered(tx))
    yield _gauge("alerts_undelivered", "news that has not reached everybody", [({}, untold)])


def _rollouts(tx: Connection, models: tuple[str, ...]) -> Iterator[Metric]:
    state: list[Sample] = []
    step: list[Sample] = []
    e_value: list[Sample] = []
    leads: list[Sample] = []
    for model in models:
        leading, known = champion.read(tx, model), rollouts.all_of(tx, model)
        if leading is not None:
            leads.append(({"model": model, "version": leading.version}, 1))
        if not known:
            continue
        last = known[-1]
        of = {"model": model, "version": last.candidate}
        state.append(({**of, "state": last.state.value}, 1))
        step.append((of, last.step))
        e_value += [
            ({**of, "guard": found["guard"], "test": found["test"]}, found["e_value"])
            for found in _newest_findings(tx, last.id)
        ]
    yield _gauge("champion", "the version that leads", leads)
    yield _gauge("rollout_state", "state of the newest rollout", state)
    yield _gauge("rollout_step", "step of the newest rollout", step)
    yield _gauge("rollout_e_value", "evidence of the newest decision", e_value)


def _newest_findings(tx: Connection, rollout: int) -> list[dict[str, Any]]:
    """Of the newest decision that rests on evidence: the last ones only carry it out."""
    for decision in reversed(decisions.of_rollout(tx, rollout)):
        found: list[dict[str, Any]] = decision.evidence.get("judgement", {}).get("findings", [])
        if found:
            return found
    return []


def _retrains(tx: Connection, models: tuple[str, ...]) -> Iterator[Metric]:
    counted = CounterMetricFamily(
        "mlops_retrains", "requests for training", labels=["model", "source", "outcome"]
    )
    minutes = CounterMetricFamily(
        "mlops_retrain_minutes", "minutes from launch to end", labels=["model"]
    )
    for model in models:
        known = retrains.history(tx, model)
        counts: dict[tuple[str, str], int] = {}
        for one in known:
            key = one.source.value, one.outcome or one.state
            counts[key] = counts.get(key, 0) + 1
        for (source, outcome), count in counts.items():
            counted.add_metric([model, source, outcome], count)
        minutes.add_metric([model], sum(one.minutes or 0.0 for one in known))
    yield counted
    yield minutes


def _gauge(name: str, told: str, samples: list[Sample]) -> Metric:
    labels = list(samples[0][0]) if samples else []
    family = GaugeMetricFamily(f"mlops_{name}", told, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(list(values.values()), float(value))
    return family
