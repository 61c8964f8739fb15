"""Monitoring on the Dagster floor: what was answered, what became of it, and whether it drifts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mlops_pipeline.components.data import partitions
from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import picture, table
from mlops_pipeline.components.names import common, key
from mlops_pipeline.components.reference import training_reference
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import incidents
from mlops_pipeline.ledger.incidents import IncidentSeverity
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.drift import judge_drift
from mlops_pipeline.monitoring.figures import drift_figure
from mlops_pipeline.monitoring.frames import served
from mlops_pipeline.monitoring.performance import (
    LivePerformance,
    join_labels,
    judge_performance,
)
from mlops_pipeline.monitoring.records import DriftReport, drift_json
from mlops_pipeline.monitoring.store import load_served, store_served
from mlops_pipeline.registry.standing import champion_version
from mlops_pipeline.serving.request_log import read_records

REPORT, PAGE = "drift.json", "drift.html"


@dataclass(frozen=True, slots=True)
class LogRef:
    """One month of live answers, by one version: the champion when the month was looked at."""

    month: str
    version: str
    digest: str
    rows: int


def inference_log_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What the champion answered in a month of event time."""

    @dg.asset(
        key=key(contract, "inference_log"),
        description="What users were answered: the champion's request log, fixed by content.",
        partitions_def=partitions(contract),
        **common(contract, "monitoring", "parquet"),
    )
    def inference_log(
        context: dg.AssetExecutionContext, house: House
    ) -> dg.MaterializeResult[LogRef]:
        version = _champion(contract, house).version
        folder = house.settings.request_log / contract.name / version
        month = Window.of_month(context.partition_key)
        found = served(contract, read_records(folder)).of(version).within(month)
        reference = LogRef(
            context.partition_key, version, store_served(house.objects, found), len(found)
        )
        return dg.MaterializeResult(
            value=reference,
            metadata={"dagster/row_count": reference.rows, "version": version},
        )

    return inference_log


def live_performance_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What those answers were worth, by labels that had time to arrive."""

    @dg.asset(
        key=key(contract, "live_performance"),
        description="Metrics of matured, labelled answers, with intervals and coverage.",
        partitions_def=partitions(contract),
        ins={"inference_log": dg.AssetIn(key(contract, "inference_log"))},
        **common(contract, "monitoring"),
    )
    def live_performance(
        house: House, inference_log: LogRef
    ) -> dg.MaterializeResult[LivePerformance]:
        delay = timedelta(hours=contract.target.label_delay_hours)
        as_of = Window.of_month(inference_log.month).end + delay
        answers = load_served(house.objects, inference_log.digest).answers
        told = inbox.read(house.settings.labels / contract.name, as_of)
        joined = join_labels(contract, answers, told, as_of)
        found = judge_performance(contract, joined, version=inference_log.version, as_of=as_of)
        numbers = {
            name: value.value for name, value in found.metrics.items() if value.value is not None
        }
        return dg.MaterializeResult(
            value=found,
            metadata={
                "version": found.version,
                "predictions": found.predictions,
                "labelled": found.labelled,
                "coverage": found.coverage or 0.0,
                "trusted": found.trusted,
                "reason": found.reason,
                **numbers,
            },
        )

    return live_performance


def drift_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """Whether what is asked still looks like what was learnt."""

    @dg.asset(
        key=key(contract, "drift"),
        description="Live features and scores against the champion's training rows (Evidently).",
        partitions_def=partitions(contract),
        ins={"inference_log": dg.AssetIn(key(contract, "inference_log"))},
        check_specs=[
            dg.AssetCheckSpec(
                "steady",
                asset=key(contract, "drift"),
                description="Fewer columns drifted than the contract calls an incident.",
            )
        ],
        **common(contract, "monitoring", "evidently"),
    )
    def drift(house: House, inference_log: LogRef) -> dg.MaterializeResult:  # type: ignore[type-arg]  # one more output, as Dagster reads it
        reference = training_reference(contract, house, _champion(contract, house))
        live = load_served(house.objects, inference_log.digest)
        report, page = judge_drift(
            contract,
            reference.features,
            live.features,
            reference_scores=reference.scores,
            current_scores=live.answers["score"].to_numpy(),
        )
        stored = house.objects.put_tree({REPORT: drift_json(report), PAGE: page})
        if report.fired:
            _tell(contract, house, inference_log, report)
        return dg.MaterializeResult(
            metadata=_metadata(inference_log, report, stored), check_results=[_steady(report)]
        )

    return drift


def _steady(report: DriftReport) -> dg.AssetCheckResult:
    """Drift where people look for it: it warns, the sensor acts."""
    return dg.AssetCheckResult(
        check_name="steady",
        passed=not report.fired,
        severity=dg.AssetCheckSeverity.WARN,
        description=report.reason,
        metadata={"outcome": report.outcome.value, "drifted": ", ".join(report.drifted)},
    )


def _champion(contract: ModelContract, house: House) -> VersionRow:
    with reading(house.ledger) as view:
        champion = champion_version(view, contract.name)
    if champion is None:
        raise dg.Failure(
            f"{contract.name} has no champion: nothing is served, so nothing can be watched"
        )
    return champion


def _tell(contract: ModelContract, house: House, log: LogRef, report: DriftReport) -> None:
    with transaction(house.ledger) as tx:
        incidents.raise_incident(
            tx,
            contract.name,
            cause="drift",
            severity=IncidentSeverity.WARNING,
            summary=f"{contract.name} drifts in {log.month}: {', '.join(report.drifted)}",
            detail={"window": log.month, "version": log.version, "reason": report.reason},
            now=datetime.now(UTC),
        )


def _metadata(log: LogRef, report: DriftReport, stored: str) -> dict[str, Any]:
    rows = [*report.rows, *([report.prediction] if report.prediction else [])]
    return {
        "month": log.month,
        "version": log.version,
        "fired": report.fired,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "drifted columns": len(report.drifted),
        "report": stored,
        "columns": table(
            {
                "column": r.column,
                "method": r.method,
                "value": r.value,
                "limit": r.limit,
                "drifted": r.drifted,
                "effect": r.effect,
            }
            for r in rows
        ),
        "picture": picture(drift_figure(report), "drift by column"),
    }
