"""Records of the ground floor as Dagster metadata: numbers to plot, tables, pictures."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from mlops_pipeline.data.quality import CheckOutcome

SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


def picture(png: bytes, alt: str) -> dg.MetadataValue[Any]:
    """A PNG, shown by the UI in place."""
    data = base64.b64encode(png).decode()
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{data})")


def table(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue[Any]:
    """Rows as a Markdown table; every row has the first one's columns."""
    listed = list(rows)
    if not listed:
        return dg.MetadataValue.md("none")
    names = list(listed[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(row.get(name)) for name in names) + " |" for row in listed]
    return dg.MetadataValue.md("\n".join(lines))


def check_result(asset: dg.AssetKey, outcome: CheckOutcome) -> dg.AssetCheckResult:
    """One outcome of the data room as the evaluation of the check of its name."""
    metadata: dict[str, Any] = {"summary": outcome.summary}
    if outcome.value is not None:
        metadata["value"] = float(outcome.value)
    if outcome.limit is not None:
        metadata["limit"] = float(outcome.limit)
    if outcome.aggregated:
        counts = outcome.aggregated.items()
        metadata["counts"] = table({"reason": reason, "count": count} for reason, count in counts)
    if outcome.rows:
        metadata["rows"] = table(outcome.rows)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=SEVERITIES[outcome.severity],
        description=outcome.summary,
        metadata=metadata,
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
