"""A source whose columns changed is told: against what was trusted, and as the contract says."""

from collections.abc import Mapping

import pandas as pd

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.quality import CheckOutcome, run_checks
from mlops_pipeline_tests.data import tiny

BARE = {"at": "time", "gate": "text"}
TIPPED = {"at": "time", "gate": "number", "tip": "number"}


def evolved(
    months: Mapping[str, Mapping[str, str]],
    contract: ModelContract | None = None,
    reference: pd.DataFrame | None = None,
) -> CheckOutcome:
    outcomes = run_checks(
        contract or tiny.contract(),
        tiny.frame(),
        reference=reference,
        usual_rows=(),
        as_of=pd.Timestamp("2024-03-01").to_pydatetime(),
        source_columns=months,
    )
    (found,) = [outcome for outcome in outcomes if outcome.name == "schema_evolution"]
    return found


def test_columns_that_changed_since_the_month_before_are_named_in_summary_and_rows() -> None:
    found = evolved({"2024-01": BARE, "2024-02": TIPPED})
    assert not found.passed
    assert found.severity is Severity.WARN
    assert found.summary == (
        "gate retyped: was text, is number since 2024-01; tip added (number) since 2024-01"
    )
    assert [(row["column"], row["change"]) for row in found.rows] == [
        ("gate", "retyped"),
        ("tip", "added"),
    ]
    assert (found.value, found.limit) == (2, 0)


def test_the_contract_says_whether_changed_columns_block() -> None:
    strict = tiny.contract(source={**tiny.CONTRACT["source"], "evolution": "error"})
    assert evolved({"2024-01": BARE, "2024-02": TIPPED}, strict).severity is Severity.ERROR


def test_what_the_champion_learnt_from_is_what_counts_as_known() -> None:
    months = {"2023-12": BARE, "2024-01": TIPPED, "2024-02": TIPPED}
    assert evolved(months).passed
    december = tiny.frame().assign(at=lambda f: f["at"] - pd.Timedelta(62, "D"))
    found = evolved(months, reference=december)
    assert "tip added (number) since 2023-12" in found.summary
    assert evolved(months, reference=tiny.frame()).passed


def test_a_contract_that_stores_other_columns_than_the_champion_s_rows_is_told() -> None:
    found = evolved({}, reference=tiny.frame().drop(columns="items").assign(gate="x"))
    assert found.summary == (
        "items added (number) since the trusted rows; gate removed (text) since the trusted rows"
    )


def test_months_of_which_nothing_was_noted_are_not_judged() -> None:
    assert evolved({}).summary == "no column came, went or changed: nothing noted yet"
    assert evolved({"2024-01": BARE}).passed
