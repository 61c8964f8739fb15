"""Metrics of one server, for Prometheus.

The event loop is the only writer, so counting is an addition, without the client library's lock;
families are built when somebody asks.

| metric | labels besides model and version | |
|---|---|---|
| `mlops_requests_total` | arm, outcome | requests by how they ended |
| `mlops_request_seconds` | arm | histogram of time inside the server |
| `mlops_probability`, `mlops_prediction` | arm | histogram of what was predicted, by task |
| `mlops_unknown_categories_total` | field | values that no category of the contract is |
| `mlops_out_of_range_total` | field | values outside a range that only warns |
| `mlops_missing_features_total` | feature | answers without that feature, as the log has them |
| `mlops_stale_features_total` | | requests refused because the look-ups were too old |
| `mlops_features_age_days` | | from the look-ups' day to the newest row's; NaN before both |
| `mlops_features_unreadable_total` | | published snapshots that could not be read |
| `mlops_log_records_total` | state | records written, dropped, sampled_out |
| `mlops_log_waiting` | | records not yet written |
| `mlops_ready` | | 1 when `/healthz` answers 200 |
| `mlops_fault_drill` | | 1 when the process was started with a fault |
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.registry.answers import score_name
from mlops_pipeline.serving.predictor import Predictor
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
STEPS = 20
DECADES = tuple(sign * 10.0**step for sign in (-1, 1) for step in range(-1, 6)[::sign])


Counts = Mapping[tuple[str, ...], float]  # by the values of the labels


def score_bounds(contract: ModelContract) -> tuple[float, ...]:
    """Upper bounds of the cells of scores: equal steps over their range, else decades."""
    low, high = contract.score_range
    if low is None or high is None:
        return DECADES
    return tuple(low + (high - low) * step / STEPS for step in range(1, STEPS))


class _Histogram:
    """Counts by upper bound, not yet added up."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, float]]:
        rows, so_far = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            rows.append((bound, float(so_far)))
        return rows


class Metrics(Collector):
    """What one server did. `observe` from the event loop; `text` for a scrape."""

    def __init__(
        self,
        *,
        model: str,
        version: str,
        predictor: Predictor,
        log: RequestLog,
        fault: bool,
        missing: Mapping[str, float] | None = None,
    ) -> None:
        """`missing` counts answers by a feature that they lacked; it is read at each scrape."""
        self.ready = False
        self._same = [model, version]
        self._predictor = predictor
        self._log = log
        self._fault = fault
        self._missing = missing or {}
        self._requests = {(arm, outcome): 0 for arm in Arm for outcome in Outcome}
        self._seconds = {arm: _Histogram(SECONDS) for arm in Arm}
        self._scores = {arm: _Histogram(score_bounds(predictor.contract)) for arm in Arm}
        self._score = score_name(predictor.contract)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def observe(self, arm: Arm, outcome: Outcome, seconds: float, score: float | None) -> None:
        """One request has ended."""
        self._requests[arm, outcome] += 1
        self._seconds[arm].observe(seconds)
        if score is not None:
            self._scores[arm].observe(score)

    def scored(self, arm: Arm, score: float | None) -> None:
        """One more row of a request of several was answered."""
        if score is not None:
            self._scores[arm].observe(score)

    def text(self) -> bytes:
        """All families in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families as they stand."""
        yield self._counter(
            "requests",
            "requests by how they ended",
            ("arm", "outcome"),
            {(arm, outcome): count for (arm, outcome), count in self._requests.items()},
        )
        yield self._histogram("request_seconds", "time inside the server", self._seconds)
        yield self._histogram(self._score, "what was predicted", self._scores)
        reader = self._predictor.reader
        unknown: Counts = {(field,): n for field, n in reader.unknown_categories.items()}
        outside: Counts = {(field,): n for field, n in reader.out_of_range.items()}
        missing: Counts = {(feature,): n for feature, n in self._missing.items()}
        stale: Counts = {(): self._predictor.stale}
        unreadable: Counts = {(): self._predictor.lookups.failures}
        records: Counts = {
            ("written",): self._log.written,
            ("dropped",): self._log.dropped,
            ("sampled_out",): self._log.sampled_out,
        }
        for name, told, labels, counts in (
            ("unknown_categories", "values that no category is", ("field",), unknown),
            ("out_of_range", "values outside a range that only warns", ("field",), outside),
            ("missing_features", "answers without that feature", ("feature",), missing),
            ("stale_features", "requests refused because the look-ups are too old", (), stale),
            ("features_unreadable", "published snapshots that cannot be read", (), unreadable),
            ("log_records", "request records by what became of them", ("state",), records),
        ):
            yield self._counter(name, told, labels, counts)
        age = self._predictor.age_days
        yield self._gauge("features_age_days", "age of the look-ups", age)
        yield self._gauge("log_waiting", "records not yet written", self._log.waiting)
        yield self._gauge("ready", "whether /healthz answers 200", self.ready)
        yield self._gauge("fault_drill", "whether a fault was planted", self._fault)

    def _counter(
        self,
        name: str,
        told: str,
        labels: tuple[str, ...],
        counts: Counts,
    ) -> Metric:
        family = CounterMetricFamily(f"mlops_{name}", told, labels=["model", "version", *labels])
        for values, count in counts.items():
            family.add_metric([*self._same, *values], count)
        return family

    def _gauge(self, name: str, told: str, value: float | None) -> Metric:
        family = GaugeMetricFamily(f"mlops_{name}", told, labels=["model", "version"])
        family.add_metric(self._same, float("nan") if value is None else float(value))
        return family

    def _histogram(self, name: str, told: str, by_arm: Mapping[Arm, _Histogram]) -> Metric:
        family = HistogramMetricFamily(f"mlops_{name}", told, labels=["model", "version", "arm"])
        for arm, histogram in by_arm.items():
            family.add_metric([*self._same, arm], histogram.cumulated(), histogram.total)
        return family
