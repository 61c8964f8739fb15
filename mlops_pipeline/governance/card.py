"""The model card: what one version is, may be used for and has proven, from records alone.

Markdown with YAML front matter, as model hubs read it. Nothing is typed by hand and nothing is
left out for being unpleasant: a rule that does not hold, a slice that was too small and a gate that
hesitated are on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlops_pipeline.contract.columns import Availability, Feature, Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.records import EvaluationReport, SliceResult, SliceStatus
from mlops_pipeline.evaluation.verdict import GateResult, shown
from mlops_pipeline.governance.policy import PolicyFinding, sources_of
from mlops_pipeline.ledger.audit import AuditEntry
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.lineage import Lineage, lineage_digest

WORST = 5  # slices that are listed


@dataclass(frozen=True, slots=True)
class CardRecords:
    """Everything that a card is made of; equal records give equal cards."""

    contract: ModelContract
    version: VersionRow
    lineage: Lineage
    report: EvaluationReport
    gate: GateResult
    findings: Sequence[PolicyFinding]
    story: Sequence[AuditEntry]  # of the version, oldest first


def render_card(records: CardRecords) -> str:
    """The card's text; it ends with a line break."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown: `cell` and `line` escape what could break it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": _cell,
        "line": _line,
        "shown": shown,
        "percent": _percent,
        "json": _json,
    }
    contract, report = records.contract, records.report
    return environment.get_template("card.md.jinja").render(
        front_matter=_front_matter(records),
        records=records,
        contract=contract,
        report=report,
        lineage=records.lineage,
        lineage_digest=lineage_digest(records.lineage),
        features=[(f, sorted(sources_of(contract, f))) for f in contract.features.columns],
        describe=_kind,
        left_out=[c for c in contract.columns if c.available is Availability.OUTCOME],
        personal=[c for c in contract.columns if c.sensitivity is Sensitivity.PERSONAL],
        worst=_worst(report),
        unjudged=[s for s in report.slices if s.status is not SliceStatus.EVALUATED],
        broken=[f for f in records.findings if f.passed is False],
    )


def _front_matter(records: CardRecords) -> str:
    contract, lineage, report = records.contract, records.lineage, records.report
    values = [
        {"type": name, "value": round(result.candidate.value, 6)}
        for name, result in report.metrics.items()
        if result.candidate.value is not None
    ]
    content = {
        "model_name": contract.name,
        "version": records.version.version,
        "library_name": lineage.trainer,
        "tags": [contract.task, records.version.status.value],
        "datasets": [contract.source.name],
        "metrics": list(report.metrics),
        "model-index": [
            {
                "name": contract.name,
                "results": [
                    {
                        "task": {"type": f"{contract.task}-classification"},
                        "dataset": {
                            "name": contract.source.name,
                            "type": contract.source.kind,
                            "revision": lineage.snapshot,
                        },
                        "metrics": values,
                    }
                ],
            }
        ],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _worst(report: EvaluationReport) -> list[SliceResult]:
    """Slices where the gain over the champion is least; none without a champion."""
    compared = [
        (part.gain.value, part)
        for part in report.slices
        if part.status is SliceStatus.EVALUATED and part.gain and part.gain.value is not None
    ]
    return [part for _, part in sorted(compared, key=lambda pair: pair[0])[:WORST]]


def _kind(contract: ModelContract, feature: Feature) -> str:
    if feature.kind == "history":
        return f"rate of {contract.target.name} in the {feature.days} days before"
    return feature.kind


def _line(text: object) -> str:
    """Text on one line that is no markup."""
    plain = " ".join(str(text).split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")


def _cell(text: object) -> str:
    """Text for a table's cell."""
    return _line(text).replace("|", "\\|")


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
