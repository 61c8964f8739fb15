"""A version's ancestry, drawn three ways."""

from datetime import UTC, datetime

from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.graph import ancestry, lines, mermaid, openlineage
from mlops_pipeline.registry.lineage import lineage_digest
from mlops_pipeline_tests.registry.parts import lineage

MADE = lineage()
ROW = VersionRow(
    model="visits",
    version="3",
    bundle="1" * 64,
    lineage=lineage_digest(MADE),
    verdict_id=None,
    status=VersionStatus.STAGING,
    first=True,
    created=datetime(2024, 3, 1, tzinfo=UTC),
    served=None,
)
TREE = ancestry(ROW, MADE, verdict=None, signature="valid, over 4 files")


def test_the_tree_names_every_cause_with_its_digest() -> None:
    text = "\n".join(lines(TREE))
    assert text.startswith("version: visits 3 (staging)  111111111111\n├── candidate: trees by")
    for digest in (MADE.snapshot, MADE.definition, MADE.contract, MADE.code.sources):
        assert digest[:12] in text
    assert text.endswith("└── signature: valid, over 4 files")


def test_mermaid_draws_one_arrow_for_each_cause() -> None:
    drawn = mermaid(TREE).splitlines()
    assert drawn[0] == "flowchart LR"
    boxes = [line for line in drawn if '["' in line]
    assert sum("-->" in line for line in drawn) == len(boxes) - 1


def test_openlineage_reads_the_snapshot_and_writes_the_version() -> None:
    event = openlineage(ROW, MADE, run="run-1")
    assert event["eventType"] == "COMPLETE"
    assert [d["name"] for d in event["outputs"]] == ["version.3"]
    seen = {d["name"]: d["facets"]["version"]["datasetVersion"] for d in event["inputs"]}
    assert seen["snapshot"] == MADE.snapshot
    assert event["run"]["runId"] == openlineage(ROW, MADE, run="run-1")["run"]["runId"]
