"""Records of one small version: the parcels model, trained in spring, judged on June."""

from datetime import UTC, datetime
from typing import Any

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import (
    Confusion,
    Estimate,
    EvaluationReport,
    FairnessResult,
    GroupRate,
    MetricResult,
    ResourceUse,
    SliceResult,
    SliceStatus,
)
from mlops_pipeline.evaluation.verdict import GateResult, Reason, Verdict
from mlops_pipeline.ledger.audit import AuditEntry
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.registry.environment import Environment
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline_tests.contract.rows import small

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sound() -> dict[str, Any]:
    """The small contract as data, with everything that policy asks for."""
    data = small()
    data["source"]["origin"] = "the parcels company, internal"
    data["target"] |= {"min_rate": 0.05, "max_rate": 0.5}
    data["acceptance"]["criteria"].append({"metric": "log_loss", "margin": 0.01})
    data["fairness"] = [{"by": "region", "metric": "selection_rate", "max_gap": 0.2}]
    data["rollout"]["guards"].append({"name": "slow", "over_ms": 200, "budget": 0.05})
    return data


def contract(**changes: Any) -> ModelContract:
    """The sound contract, with whole parts replaced."""
    return ModelContract.model_validate({**sound(), **changes})


def lineage(of: ModelContract, **changes: Any) -> Lineage:
    """Trained on January to May, the last weeks of it for stopping, judged on June."""
    fields: dict[str, Any] = {
        "model": of.name,
        "candidate": "trees",
        "trainer": "lightgbm",
        "params": {"num_leaves": 7},
        "seed": 0,
        "snapshot": "5" * 64,
        "definition": "d" * 64,
        "contract": contract_digest(of),
        "train": Window.of_months("2024-01", "2024-05"),
        "validation": Window.of_months("2024-05", "2024-05"),
        "test": Window.of_month("2024-06"),
        "code": CodeState(commit="c" * 40, dirty=False, sources="a" * 64),
        "environment": Environment("CPython 3.11.7", "Linux x86_64", "e" * 64, "avx2"),
    }
    return Lineage(**{**fields, **changes})


def report(*, first: bool = False) -> EvaluationReport:
    """One thousand rows; better than the champion, except in the south."""
    return EvaluationReport(
        model="parcels",
        candidate="trees",
        champion_version=None if first else "1",
        first_version=first,
        rows=1000,
        positives=200,
        groups=30,
        group_kind="day",
        rows_digest="0" * 64,
        confidence=0.9,
        resamples=1000,
        seed=0,
        threshold=0.5,
        metrics={
            "roc_auc": MetricResult(
                Estimate(0.7, 0.68, 0.72),
                None if first else Estimate(0.66, 0.64, 0.68),
                None if first else Estimate(0.04, 0.03, 0.05),
            ),
            "f1": MetricResult(Estimate(None, None, None), None, None),
        },
        slices=(
            SliceResult(
                "region",
                "north",
                "log_loss",
                0.05,
                SliceStatus.TOO_SMALL,
                90,
                8,
                detail="90 rows, 8 positives; needs 200 and 50",
            ),
            SliceResult(
                "region",
                "south",
                "log_loss",
                0.05,
                SliceStatus.EVALUATED,
                910,
                192,
                candidate=0.5,
                champion=0.49,
                gain=Estimate(-0.01, -0.02, 0.0),
            ),
        ),
        fairness=(
            FairnessResult(
                "region",
                "selection_rate",
                0.2,
                "warn",
                (GroupRate("north", 500, 0.1), GroupRate("south", 500, 0.3)),
                Estimate(0.2, 0.15, 0.25),
                ("south", "north"),
            ),
        ),
        resources=ResourceUse(0.5, 0.1, 0.4, 90_000.0, 80.0, 0.3, 0.0, True),
        reliability=(),
        confusion=Confusion(1, 2, 3, 4),
        calibration_p=0.4,
        importance={"weight": 1.0},
        changes=(),
    )


GATE = GateResult(
    verdict=Verdict.PROMOTE,
    first_version=False,
    reasons=(Reason("roc_auc", Outcome.SUPERIOR, "roc_auc gains +0.0400 [+0.0300, +0.0500] > 0"),),
    findings=(),
)
VERSION = VersionRow(
    model="parcels",
    version="2",
    bundle="b" * 64,
    lineage="f" * 64,
    verdict_id=1,
    status=VersionStatus.CHAMPION,
    first=False,
    created=NOON,
    served=NOON,
)
STORY = (
    AuditEntry(1, NOON, "pipeline", "version.added", "parcels/version/2", {}, "0" * 64, "1" * 64),
    AuditEntry(
        2,
        NOON,
        "anna@example.org",
        "version.status",
        "parcels/version/2",
        {"reason": "looked at <b>every</b> slice"},
        "1" * 64,
        "2" * 64,
    ),
)
