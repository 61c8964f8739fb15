"""A model card says what the records say, also what is unpleasant."""

from dataclasses import replace

import pytest
import yaml

from mlops_pipeline.governance.card import CardRecords, render_card
from mlops_pipeline.governance.policy import check_policy
from mlops_pipeline.registry.lineage import lineage_digest
from mlops_pipeline_tests.governance.records import (
    GATE,
    STORY,
    VERSION,
    contract,
    lineage,
    report,
)

CONTRACT = contract()
LINEAGE = lineage(CONTRACT)
RECORDS = CardRecords(
    contract=CONTRACT,
    version=VERSION,
    lineage=LINEAGE,
    report=report(),
    gate=GATE,
    findings=check_policy(CONTRACT, LINEAGE),
    story=STORY,
)


def section(card: str, title: str) -> str:
    """What stands below a heading, up to the next of its depth."""
    return card.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0].strip()


def test_the_front_matter_is_what_model_hubs_read() -> None:
    _, front_matter, body = render_card(RECORDS).split("---\n", 2)
    content = yaml.safe_load(front_matter)
    assert (content["model_name"], content["version"]) == ("parcels", "2")
    (result,) = content["model-index"][0]["results"]
    assert result["dataset"]["revision"] == "5" * 64
    assert result["metrics"] == [{"type": "roc_auc", "value": 0.7}]
    assert body.lstrip().startswith("# Will this parcel be late?")


def test_equal_records_give_equal_cards() -> None:
    assert render_card(RECORDS) == render_card(RECORDS)


def test_estimates_stand_beside_the_champions() -> None:
    assert (
        "| roc_auc | 0.7000 [0.6800, 0.7200] | 0.6600 [0.6400, 0.6800] "
        "| +0.0400 [+0.0300, +0.0500] |"
    ) in render_card(RECORDS)


def test_losses_and_gaps_are_shown() -> None:
    evaluation = section(render_card(RECORDS), "Evaluation")
    assert "| region = south | 910 | log_loss | 0.5000 | 0.4900 |" in evaluation
    assert "- region = north: too_small, 90 rows, 8 positives; needs 200 and 50" in evaluation
    assert (
        "- selection_rate by region: 0.2000 [0.1500, 0.2500], between south and north; "
        "tolerated 0.2"
    ) in evaluation


def test_a_first_version_says_that_it_had_no_baseline() -> None:
    card = render_card(replace(RECORDS, report=report(first=True)))
    assert "The gate says **promote**; first version, no baseline." in card
    assert "| roc_auc | 0.7000 [0.6800, 0.7200] | none | none |" in card


def test_lineage_leads_to_snapshot_code_and_environment() -> None:
    told = section(render_card(RECORDS), "Lineage")
    for fact in (lineage_digest(LINEAGE), "c" * 40, "CPython 3.11.7", '{"num_leaves":7}'):
        assert fact in told


def test_features_name_the_columns_that_they_are_made_of() -> None:
    told = section(render_card(RECORDS), "Inputs")
    assert "| region_late | rate of late in the 28 days before | region |" in told
    assert told.endswith("Known only with the outcome, and therefore in no feature: hours_late.")


def test_rules_that_hold_are_counted_and_broken_ones_are_shown() -> None:
    assert section(render_card(RECORDS), "Policy") == "All 14 rules that apply hold."
    loose = replace(RECORDS, findings=check_policy(contract(slices=[]), LINEAGE))
    assert "- **P06 slices are declared** (error): slices: none;" in render_card(loose)


def test_the_story_is_told_and_its_text_is_no_markup() -> None:
    told = section(render_card(RECORDS), "Story").splitlines()
    assert told == [
        "- 2026-03-01 12:00 UTC, pipeline: version.added",
        "- 2026-03-01 12:00 UTC, anna@example.org: version.status, "
        "looked at &lt;b>every&lt;/b> slice",
    ]


def test_a_version_without_a_story_says_so() -> None:
    card = render_card(replace(RECORDS, story=()))
    assert section(card, "Story") == "Nothing has been decided about it yet."


@pytest.mark.parametrize("text", ["a | b", "a\nb", "`a`"])
def test_text_cannot_break_a_table(text: str) -> None:
    odd = contract(source={**CONTRACT.model_dump(mode="json")["source"], "origin": text})
    told = section(render_card(replace(RECORDS, contract=odd)), "Data")
    (row,) = [line for line in told.splitlines() if line.startswith("| source |")]
    assert row.replace("\\|", "").count("|") == 3
