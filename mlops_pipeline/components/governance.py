"""Governance on the Dagster floor: the model card of a version, and the rules that it keeps."""

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import table
from mlops_pipeline.components.names import common, key
from mlops_pipeline.components.registry import VersionRef
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.records import GATE, REPORT, read_report
from mlops_pipeline.evaluation.verdict import read_gate
from mlops_pipeline.governance.card import CardRecords, render_card
from mlops_pipeline.governance.policy import check_policy
from mlops_pipeline.ledger import audit, versions
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.registry.standing import stored_lineage


def model_card_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What the version is, may be used for, and has proven."""

    @dg.asset(
        key=key(contract, "model_card"),
        description="The version's model card, from records alone.",
        ins={"version": dg.AssetIn(key(contract, "version"))},
        **common(contract, "governance", "markdown"),
    )
    def model_card(house: House, version: VersionRef) -> dg.MaterializeResult[None]:
        lineage = stored_lineage(house.objects, version.bundle)
        judged = house.objects.get_tree(version.report)
        with reading(house.ledger) as view:
            row = versions.get(view, version.model, version.version)
            story = audit.entries(view, versions.subject_of(version.model, version.version))
        card = render_card(
            CardRecords(
                contract,
                row,
                lineage,
                read_report(judged[REPORT]),
                read_gate(judged[GATE]),
                check_policy(contract, lineage),
                story,
            )
        )
        return dg.MaterializeResult(
            metadata={
                "version": version.version,
                "digest": house.objects.put(card.encode()),
                "card": dg.MetadataValue.md(card),
            }
        )

    return model_card


def policy_check(contract: ModelContract) -> dg.AssetChecksDefinition:
    """Every numbered rule of the house, on the version's contract and lineage."""

    @dg.asset_check(
        asset=key(contract, "version"),
        name="policy",
        description="The rules for data use, leakage, guards and traceability hold.",
    )
    def policy(house: House, version: VersionRef) -> dg.AssetCheckResult:
        findings = check_policy(contract, stored_lineage(house.objects, version.bundle))
        broken = [finding for finding in findings if finding.passed is False]
        hard = any(finding.blocks for finding in broken)
        return dg.AssetCheckResult(
            passed=not broken,
            severity=dg.AssetCheckSeverity.ERROR if hard else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{f.rule} {f.name}" for f in broken) or "every rule holds",
            metadata={
                "rules": table(
                    {
                        "rule": f.rule,
                        "name": f.name,
                        "holds": f.passed,
                        "found": "; ".join(f.problems),
                    }
                    for f in findings
                )
            },
        )

    return policy
