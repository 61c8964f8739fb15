"""Monitoring on the Dagster floor: what was answered, what became of it, and whether it drifts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_pipeline.components.data import partitions
from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import common, key
from mlops_pipeline.components.reference import released_metrics, training_reference
from mlops_pipeline.components.shown import drift_metadata, label_metadata, performance_metadata
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.cohort import gather
from mlops_pipeline.monitoring.drift import judge_drift
from mlops_pipeline.monitoring.frames import served
from mlops_pipeline.monitoring.live import LivePerformance, PerformanceOutcome, performance_json
from mlops_pipeline.monitoring.performance import judge_performance
from mlops_pipeline.monitoring.records import DriftOutcome, drift_json
from mlops_pipeline.monitoring.store import (
    load_labelled,
    load_served,
    store_labelled,
    store_served,
)
from mlops_pipeline.monitoring.watch import usual_answers, watch_drift, watch_performance
from mlops_pipeline.registry.standing import champion_version
from mlops_pipeline.serving.request_log import read_records

REPORT, PAGE = "drift.json", "drift.html"
PERFORMANCE = "performance.json"


@dataclass(frozen=True, slots=True)
class LogRef:
    """One month of live answers, by one version: the champion when the month was looked at."""

    month: str
    version: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class LabelsRef:
    """The same answers with what is known of them, as of the moment when all were mature."""

    month: str
    digest: str
    as_of: str
    maturity_hours: float


def inference_log_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What the champion answered in a month of event time."""

    @dg.asset(
        key=key(contract, "inference_log"),
        description="What users were answered: the champion's request log, fixed by content.",
        partitions_def=partitions(contract),
        **_checked(contract, LogRef, "inference_log", enough="As many answers as monitors need."),
        **common(contract, "monitoring", "parquet"),
    )
    def inference_log(context: dg.AssetExecutionContext, house: House) -> dg.MaterializeResult:  # type: ignore[type-arg]  # checks are outputs, too
        version = _champion(contract, house).version
        folder = house.settings.request_log / contract.name / version
        month = Window.of_month(context.partition_key)
        found = served(contract, read_records(folder)).of(version).within(month)
        reference = LogRef(
            context.partition_key, version, store_served(house.objects, found), len(found)
        )
        least = contract.monitoring.min_rows
        return dg.MaterializeResult(
            value=reference,
            metadata={"dagster/row_count": reference.rows, "version": version},
            check_results=[
                _warning("enough", reference.rows >= least, f"{reference.rows} answers, {least}")
            ],
        )

    return inference_log


def labels_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What is known of those answers, and how long it took to know it."""

    @dg.asset(
        key=key(contract, "labels"),
        description="Answers joined with their labels by id: first labels and corrections, the "
        "delays they came with, and the age from which an answer is scored.",
        partitions_def=partitions(contract),
        ins={"inference_log": dg.AssetIn(key(contract, "inference_log"))},
        **_checked(contract, LabelsRef, "labels", told="Matured answers are told of."),
        **common(contract, "monitoring", "parquet"),
    )
    def labels(house: House, inference_log: LogRef) -> dg.MaterializeResult:  # type: ignore[type-arg]  # checks are outputs, too
        answers = load_served(house.objects, inference_log.digest).answers
        told = inbox.read(house.settings.labels / contract.name)
        cohort = gather(contract, answers, told, end=Window.of_month(inference_log.month).end)
        matured = cohort.rows[cohort.rows["matured"]]
        covered = float(matured["told"].mean()) if len(matured) else 0.0
        least = contract.monitoring.min_coverage
        reference = LabelsRef(
            inference_log.month,
            store_labelled(house.objects, cohort.rows),
            cohort.as_of.isoformat(),
            cohort.maturity_hours,
        )
        return dg.MaterializeResult(
            value=reference,
            metadata=label_metadata(cohort, covered),
            check_results=[
                _warning("told", covered >= least, f"{covered:.1%} are told of, {least:.0%} needed")
            ],
        )

    return labels


def drift_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """Whether what is asked still looks like what was learnt."""

    @dg.asset(
        key=key(contract, "drift"),
        description="Live features and scores against the champion's training rows (Evidently).",
        partitions_def=partitions(contract),
        ins={"inference_log": dg.AssetIn(key(contract, "inference_log"))},
        **_checked(
            contract,
            None,
            "drift",
            steady="No drift that the model would feel.",
            arriving="Values and requests keep arriving.",
        ),
        **common(contract, "monitoring", "evidently"),
    )
    def drift(house: House, inference_log: LogRef) -> dg.MaterializeResult:  # type: ignore[type-arg]  # checks are outputs, too
        champion = _champion(contract, house)
        reference = training_reference(contract, house, champion)
        live = load_served(house.objects, inference_log.digest)
        even = live.evenly()
        with reading(house.ledger) as view:
            usual = usual_answers(view, contract, inference_log.month)
        report, page = judge_drift(
            contract,
            reference.features,
            even.features,
            reference_scores=reference.scores,
            current_scores=even.answers["score"].to_numpy(),
            importance=reference.importance,
            usual_rows=usual,
            answered=live.answered,
        )
        stored = house.objects.put_tree({REPORT: drift_json(report), PAGE: page})
        with transaction(house.ledger) as tx:
            firing = watch_drift(
                tx,
                contract,
                report,
                window=inference_log.month,
                version=inference_log.version,
                stored=stored,
                now=datetime.now(UTC),
            )
        page_at = house.objects.check_out(stored, house.settings.home / "drift" / stored)
        arriving = report.outcome is not DriftOutcome.OUTAGE
        return dg.MaterializeResult(
            metadata={
                "month": inference_log.month,
                "version": inference_log.version,
                **drift_metadata(report, firing, stored, page_at / PAGE),
            },
            check_results=[
                _warning("steady", not report.teaches, report.reason),
                _warning("arriving", arriving, report.reason),
            ],
        )

    return drift


def live_performance_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What those answers were worth, by labels that had time to arrive."""

    @dg.asset(
        key=key(contract, "live_performance"),
        description="Metrics of matured, labelled answers, with intervals, coverage and slices, "
        "beside what the scores alone had promised.",
        partitions_def=partitions(contract),
        ins={
            "inference_log": dg.AssetIn(key(contract, "inference_log")),
            "labels": dg.AssetIn(key(contract, "labels")),
        },
        deps=[key(contract, "drift")],  # an outage explains what would look like a worse model
        **_checked(
            contract,
            LivePerformance,
            "live_performance",
            as_released="As good as at its release.",
            estimate_holds="What the scores alone had promised came true.",
        ),
        **common(contract, "monitoring", "pandas"),
    )
    def live_performance(
        house: House, inference_log: LogRef, labels: LabelsRef
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # checks are outputs, too
        champion = _champion(contract, house)
        live = load_served(house.objects, inference_log.digest)
        found = judge_performance(
            contract,
            load_labelled(house.objects, labels.digest),
            version=inference_log.version,
            as_of=datetime.fromisoformat(labels.as_of),
            features=live.features,
            released=released_metrics(house, champion),
            calibration=training_reference(contract, house, champion).calibration,
        )
        stored = house.objects.put_tree({PERFORMANCE: performance_json(found)})
        with transaction(house.ledger) as tx:
            firing = watch_performance(
                tx,
                contract,
                found,
                window=inference_log.month,
                stored=stored,
                numbers={"maturity_hours": labels.maturity_hours},
                now=datetime.now(UTC),
            )
        healthy = found.outcome is not PerformanceOutcome.DEGRADED
        off = estimate_off(contract, found)
        return dg.MaterializeResult(
            value=found,
            metadata=performance_metadata(found, firing, stored),
            check_results=[
                _warning("as_released", healthy, found.reason),
                _warning("estimate_holds", not off, off or "the estimate lies where it should"),
            ],
        )

    return live_performance


def estimate_off(contract: ModelContract, found: LivePerformance) -> str:
    """The metrics whose estimate missed the realised interval by more than a bound's margin."""
    if not found.trusted or found.estimated is None:
        return ""
    said = []
    for bound in contract.monitoring.performance:
        live, told = found.metrics[bound.metric], found.estimated.get(bound.metric)
        if told is None or live.low is None or live.high is None:
            continue
        if not live.low - bound.margin <= told <= live.high + bound.margin:
            came = f"[{live.low:.3f}, {live.high:.3f}]"
            said.append(f"{bound.metric} was estimated {told:.3f}, came to {came}")
    return "; ".join(said)


def _checked(
    contract: ModelContract, kind: type | None, asset: str, **checks: str
) -> dict[str, Any]:
    """The checks of an asset, and the type of its value, which then no annotation can name."""
    specs = [
        dg.AssetCheckSpec(check, asset=key(contract, asset), description=said)
        for check, said in checks.items()
    ]
    return {"check_specs": specs, **({} if kind is None else {"dagster_type": kind})}


def _warning(name: str, passed: bool, said: str) -> dg.AssetCheckResult:
    """A finding where people look for it: it warns, the sensors act."""
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, description=said
    )


def _champion(contract: ModelContract, house: House) -> VersionRow:
    with reading(house.ledger) as view:
        champion = champion_version(view, contract.name)
    if champion is None:
        raise dg.Failure(
            f"{contract.name} has no champion: nothing is served, so nothing can be watched"
        )
    return champion
