"""A version's ancestry as one tree, drawn for a terminal, as Mermaid, or as OpenLineage events."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mlops_pipeline.ledger.verdicts import VerdictRow
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.lineage import Lineage

SHORT = 12
PRODUCER = "https://github.com/mlops-pipeline/mlops-pipeline"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = uuid.UUID("5d3f6d8e-3a0b-5c7e-9d3a-0b6a3f1f2c11")


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that something came from; `digest` is whole, the drawings shorten it."""

    kind: str
    name: str
    digest: str = ""
    causes: "tuple[Node, ...]" = field(default=())


def ancestry(
    version: VersionRow,
    lineage: Lineage,
    *,
    verdict: VerdictRow | None,
    signature: str,
    baseline: str | None = None,
) -> Node:
    """The version, and below each thing what it came from."""
    period = f"rows {lineage.train.start:%Y-%m-%d} to {lineage.test.end:%Y-%m-%d}"
    snapshot = Node("snapshot", period, lineage.snapshot)
    definition = Node("feature definitions", "columns, target and function", lineage.definition)
    features = Node("features", "computed point in time", "", (snapshot, definition))
    contract = Node("contract", lineage.model, lineage.contract)
    params = ", ".join(f"{name}={value}" for name, value in sorted(lineage.params.items()))
    fit = Node(
        "candidate",
        f"{lineage.candidate} by {lineage.trainer}, seed {lineage.seed}"
        + (f", {params}" if params else ""),
        version.lineage,
        (features, contract, _code(lineage), _environment(lineage)),
    )
    judged = Node(
        "verdict",
        "no gate" if verdict is None else f"{verdict.verdict}, report",
        "" if verdict is None else verdict.report,
        (Node("baseline", baseline or "first version, no baseline"),),
    )
    signed = Node("signature", signature)
    name = f"{version.model} {version.version} ({version.status.value})"
    return Node("version", name, version.bundle, (fit, judged, signed))


def lines(node: Node, *, indent: str = "", last: bool = True, root: bool = True) -> Iterator[str]:
    """The tree as text."""
    head = "" if root else indent + ("└── " if last else "├── ")
    digest = f"  {node.digest[:SHORT]}" if node.digest else ""
    yield f"{head}{node.kind}: {node.name}{digest}"
    below = "" if root else indent + ("    " if last else "│   ")
    for place, cause in enumerate(node.causes):
        yield from lines(cause, indent=below, last=place == len(node.causes) - 1, root=False)


def mermaid(node: Node) -> str:
    """The tree as a Mermaid flow chart, causes first."""
    drawn = ["flowchart LR"]

    def draw(at: Node, name: str) -> None:
        digest = f"<br/>{at.digest[:SHORT]}" if at.digest else ""
        drawn.append(f'  {name}["{at.kind}: {_quoted(at.name)}{digest}"]')
        for place, cause in enumerate(at.causes):
            child = f"{name}_{place}"
            draw(cause, child)
            drawn.append(f"  {child} --> {name}")

    draw(node, "n")
    return "\n".join(drawn)


def openlineage(version: VersionRow, lineage: Lineage, *, run: str) -> dict[str, Any]:
    """One OpenLineage run event: the training that read the snapshot and wrote the version."""
    space = f"mlops_pipeline/{lineage.model}"

    def dataset(name: str, digest: str) -> dict[str, Any]:
        facet = {"_producer": PRODUCER, "_schemaURL": SCHEMA, "datasetVersion": digest}
        return {"namespace": space, "name": name, "facets": {"version": facet}}

    return {
        "eventType": "COMPLETE",
        "eventTime": version.created.isoformat(),
        "run": {"runId": str(uuid.uuid5(NAMESPACE, f"{run}/{version.lineage}")), "facets": {}},
        "job": {"namespace": space, "name": f"train.{lineage.candidate}", "facets": {}},
        "inputs": [
            dataset("snapshot", lineage.snapshot),
            dataset("feature_definitions", lineage.definition),
            dataset("contract", lineage.contract),
            dataset("sources", lineage.code.sources),
        ],
        "outputs": [dataset(f"version.{version.version}", version.bundle)],
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def _code(lineage: Lineage) -> Node:
    commit = (lineage.code.commit or "no commit")[:SHORT]
    return Node(
        "code", commit + (", changed since" if lineage.code.dirty else ""), lineage.code.sources
    )


def _environment(lineage: Lineage) -> Node:
    made = lineage.environment
    return Node("environment", f"{made.python}, {made.machine}, {made.vectors}", made.packages)


def _quoted(text: str) -> str:
    return text.replace('"', "'")
