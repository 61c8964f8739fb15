"""The registry on the Dagster floor: a version, where the gate said yes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mlops_pipeline.components.evaluation import EvaluationRef
from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import table
from mlops_pipeline.components.names import common, key
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.sampling import require_full
from mlops_pipeline.ledger import verdicts
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.registry.checklist import promotion_checklist
from mlops_pipeline.registry.proof import Stores
from mlops_pipeline.registry.register import may_pass, register_passed
from mlops_pipeline.registry.standing import stored_lineage


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A registered version."""

    model: str
    version: str
    bundle: str
    lineage: str
    report: str


def version_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """The version that may be rolled out; not materialised where the gate said no."""

    @dg.asset(
        key=key(contract, "version"),
        description="A registered version with its lineage. Only a passed gate makes one: "
        "otherwise the candidate waits in the review queue.",
        ins={"evaluation": dg.AssetIn(key(contract, "evaluation"))},
        output_required=False,
        **common(contract, "registry", "mlflow"),
    )
    def version(
        context: dg.AssetExecutionContext,
        house: House,
        mlflow: dg.ResourceParam[Any],
        evaluation: EvaluationRef,
    ) -> Iterator[dg.Output[VersionRef]]:
        bundle = evaluation.candidate.bundle
        with reading(house.ledger) as view:
            judged = verdicts.latest(view, contract.name, bundle)
            passes = may_pass(view, contract.name, bundle, judged)
        if not passes:
            context.log.warning(f"verdict={evaluation.verdict}: no version, see the review queue")
            return
        seen = stored_lineage(house.objects, evaluation.candidate.bundle).snapshot
        require_full(house.snapshots.find(seen).share, house.settings.profile)
        row = register_passed(
            house.ledger,
            house.objects,
            house.registry,
            bundle=evaluation.candidate.bundle,
            run_id=mlflow.active_run().info.run_id,
            keys=house.settings.keys,
            now=datetime.now(UTC),
        )
        house.bundle_folder(row.bundle)
        lineage = stored_lineage(house.objects, row.bundle)
        yield dg.Output(
            VersionRef(row.model, row.version, row.bundle, row.lineage, evaluation.report),
            metadata={
                "version": row.version,
                "bundle": row.bundle,
                "lineage": row.lineage,
                "report": evaluation.report,
                "commit": lineage.code.commit or "not a checkout",
                "snapshot": lineage.snapshot,
                "trained on": str(lineage.train),
                "parameters": table(
                    {"parameter": name, "value": value} for name, value in lineage.params.items()
                ),
            },
        )

    return version


def checklist_check(contract: ModelContract) -> dg.AssetChecksDefinition:
    """The checklist before promotion, as far as it can be true of a version just built."""

    @dg.asset_check(
        asset=key(contract, "version"),
        name="checklist",
        description="Packages locked, lineage whole, signature valid, rebuilt on a sample, card "
        "complete. Look-ups and a way back are asked before traffic moves, and that is the lock.",
    )
    def checklist(house: House, version: VersionRef) -> dg.AssetCheckResult:
        stores = Stores(house.settings, house.ledger, house.objects)
        items = promotion_checklist(stores, version.model, version.version, now=datetime.now(UTC))
        open_items = [item for item in items if not item.passed]
        hard = any(item.once_built for item in open_items)
        return dg.AssetCheckResult(
            passed=not hard,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(f"{i.name}: {i.text}" for i in open_items) or "every item holds",
            metadata={
                "items": table({"item": i.name, "holds": i.passed, "found": i.text} for i in items)
            },
        )

    return checklist
