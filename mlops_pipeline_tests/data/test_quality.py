"""Each check can fail: one bad frame each, and what the outcome says of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.inspected import MASK
from mlops_pipeline.data.quality import CheckOutcome, check_specs, run_checks
from mlops_pipeline_tests.data import tiny

AS_OF = datetime.fromisoformat("2024-03-01")
NAMES = (
    "schema",
    "schema_evolution",
    "nulls",
    "ranges",
    "categories",
    "uniqueness",
    "relations",
    "dependencies",
    "volume",
    "freshness",
    "late_partitions",
    "copied_partitions",
    "variation",
    "distribution",
    "label_rate",
    "label_noise",
)


def january() -> pd.DataFrame:
    """Seven good rows."""
    return tiny.frame(tiny.ROWS[:7])


def run(
    frame: pd.DataFrame,
    contract: ModelContract | None = None,
    *,
    reference: pd.DataFrame | None = None,
    usual_rows: Sequence[int] = (),
    as_of: datetime = AS_OF,
) -> dict[str, CheckOutcome]:
    outcomes = run_checks(
        contract or tiny.contract(),
        frame,
        reference=reference,
        usual_rows=usual_rows,
        as_of=as_of,
    )
    return {outcome.name: outcome for outcome in outcomes}


def failed(outcomes: dict[str, CheckOutcome]) -> set[str]:
    return {outcome.name for outcome in outcomes.values() if not outcome.passed}


def put(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        cells = frame[column].tolist()
        cells[row] = value
        return frame.assign(**{column: cells})

    return change


def test_good_rows_pass_every_check() -> None:
    outcomes = run(january(), reference=january(), usual_rows=[7, 7, 8])
    assert tuple(outcomes) == NAMES == tuple(s.name for s in check_specs(tiny.contract()))
    assert failed(outcomes) == set()


@pytest.mark.parametrize(
    ("change", "check", "summary", "value"),
    [
        (lambda f: f.drop(columns="amount"), "schema", "amount: missing", 1),
        (put(0, "shop", None), "nulls", "shop: 14.29% of 2024-01 empty, limit 0.00%", 1 / 7),
        (put(0, "amount", 100.5), "ranges", "amount: outside 0 to 100 in 1 of 7 rows", 1),
        (put(0, "amount", np.inf), "ranges", "amount: outside 0 to 100 in 1 of 7 rows", 1),
        (put(0, "items", 0), "ranges", "items: outside 1 to 9 in 1 of 7 rows", 1),
        (put(0, "shop", "A"), "categories", "shop: not in the contract in 1 of 7 rows", 1 / 7),
        (
            lambda f: pd.concat([f, f.tail(1)], ignore_index=True),
            "uniqueness",
            "visitor: entity more than once in 2 of 8 rows",
            2,
        ),
        (
            lambda f: f.assign(result=[-1.0] * 6 + [np.nan]),
            "label_rate",
            "2024-01: 0.00% of 6 labelled rows say yes, limits 10.00% to 90.00%",
            0,
        ),
        (
            lambda f: f.assign(result=1.0),
            "label_rate",
            "2024-01: 100.00% of 7 labelled rows say yes, limits 10.00% to 90.00%",
            1,
        ),
        (lambda f: f.assign(result=np.nan), "label_rate", "no row of 2024-01 has a label", None),
    ],
)
def test_a_bad_frame_fails_its_check_and_no_other(
    change: Callable[[pd.DataFrame], pd.DataFrame], check: str, summary: str, value: float | None
) -> None:
    target = {**tiny.CONTRACT["target"], "min_rate": 0.1, "max_rate": 0.9}
    outcomes = run(change(january()), tiny.contract(target=target))
    assert failed(outcomes) == {check}
    assert outcomes[check].severity is Severity.ERROR
    assert outcomes[check].summary == summary
    assert outcomes[check].value == (None if value is None else pytest.approx(value))


def test_an_entity_that_stands_in_two_partitions_is_a_duplicate() -> None:
    contract = tiny.contract(entity=["visitor"])
    twice = pd.concat([january(), january().tail(1).assign(at=pd.Timestamp("2024-02-09"))])
    outcomes = run(twice.reset_index(drop=True), contract)
    assert failed(outcomes) == {"uniqueness"}
    assert outcomes["uniqueness"].summary == "visitor: entity more than once in 2 of 8 rows"


def test_an_infinite_number_is_bad_without_any_bound() -> None:
    contract = tiny.with_column("amount", minimum=None, maximum=None)
    outcomes = run(put(0, "amount", -np.inf)(january()), contract)
    assert failed(outcomes) == {"ranges"}
    assert outcomes["ranges"].summary == "amount: outside -inf to inf in 1 of 7 rows"


def test_an_empty_share_is_judged_month_by_month() -> None:
    february = [(f"2024-02-0{day}T09:00", "a", f"w{day}", 1.0, 1, 1.0) for day in range(1, 10)]
    frame = tiny.frame([*tiny.ROWS[:7], *february])
    frame.loc[frame["at"] < "2024-01-03", "amount"] = None
    nulls = run(frame)["nulls"]
    assert not nulls.passed  # though 6 of 16 are less than half
    assert nulls.summary == "amount: 85.71% of 2024-01 empty, limit 50.00%"
    assert (nulls.value, nulls.limit) == (pytest.approx(6 / 7), 0.5)


def volume(**changes: object) -> ModelContract:
    return tiny.contract(source={**tiny.CONTRACT["source"], **changes})


@pytest.mark.parametrize(
    ("contract", "usual_rows", "summary"),
    [
        (volume(min_rows=8), [], "2024-01 has 7 rows, fewer than 8"),
        (
            volume(),
            [20, 14, 15],
            "2024-01 has 7 rows, 53.3% from the usual 15; limit 50.0%",
        ),
        (volume(), [4], "2024-01 has 7 rows, 75.0% from the usual 4; limit 50.0%"),
    ],
)
def test_too_few_or_too_many_rows_fail_the_volume(
    contract: ModelContract, usual_rows: Sequence[int], summary: str
) -> None:
    outcomes = run(january(), contract, usual_rows=usual_rows)
    assert failed(outcomes) == {"volume"}
    assert outcomes["volume"].summary == summary


def test_a_month_without_rows_in_between_fails_the_volume() -> None:
    march = [("2024-03-01T09:00", "a", "w", 1.0, 1, 1.0)]
    outcome = run(tiny.frame([*tiny.ROWS[:7], *march]))["volume"]
    assert outcome.summary == "2024-02 has 0 rows, fewer than 1"
    assert outcome.aggregated == {"2024-01": 7, "2024-02": 0, "2024-03": 1}


def test_old_rows_fail_the_freshness() -> None:
    contract = volume(max_age_days=10)
    assert run(january(), contract, as_of=datetime(2024, 1, 14, 8, tzinfo=UTC))["freshness"].passed
    outcomes = run(january(), contract, as_of=datetime.fromisoformat("2024-01-14T10:00"))
    assert failed(outcomes) == {"freshness"}
    assert outcomes["freshness"].value == pytest.approx(10 + 1 / 24)
    assert "limit 10 days" in outcomes["freshness"].summary


def test_rows_of_the_future_fail_the_freshness() -> None:
    outcomes = run(january(), as_of=datetime.fromisoformat("2024-01-03T08:00"))
    assert failed(outcomes) == {"freshness"}
    assert "it is of the future" in outcomes["freshness"].summary


def many(amounts: np.ndarray) -> pd.DataFrame:
    """A row a minute, with these amounts."""
    minutes = pd.date_range("2024-01-01", periods=len(amounts), freq="min").astype(str)
    rows = [
        (at, "a", "v", amount, 5, n % 2)
        for n, (at, amount) in enumerate(zip(minutes, amounts, strict=True))
    ]
    return tiny.frame(rows)


def test_moved_values_fail_the_distribution_as_a_warning() -> None:
    amounts = np.random.default_rng(3).uniform(0, 50, 2000)
    outcomes = run(many(amounts * 2), reference=many(amounts))
    assert failed(outcomes) == {"distribution"}
    assert outcomes["distribution"].severity is Severity.WARN
    assert outcomes["distribution"].limit == 0.3  # the contract's, for this column
    assert outcomes["distribution"].summary.startswith("amount: psi ")


def test_vanished_values_fail_the_distribution() -> None:
    amounts = np.random.default_rng(4).uniform(0, 50, 2000)
    outcome = run(many(np.where(np.arange(2000) % 5, amounts, np.nan)), reference=many(amounts))
    assert not outcome["distribution"].passed
    expected = "amount: shift of the empty share 0.200, limit 0.1"
    assert outcome["distribution"].summary == expected


def test_without_a_reference_the_distribution_is_not_compared() -> None:
    outcome = run(january())["distribution"]
    assert outcome.passed
    assert outcome.summary == "no reference yet: nothing to compare with"


def test_a_column_of_severity_warn_is_judged_apart() -> None:
    contract = tiny.with_column("amount", severity="warn")
    names = [spec.name for spec in check_specs(contract)]
    assert names[2:7] == ["nulls", "nulls_warn", "ranges", "ranges_warn", "categories"]
    outcomes = run(put(0, "amount", 1048.4)(january()), contract)
    assert failed(outcomes) == {"ranges_warn"}
    assert outcomes["ranges_warn"].severity is Severity.WARN
    assert failed(run(put(0, "items", 99)(january()), contract)) == {"ranges"}


def test_failing_rows_are_shown_counted_and_masked_where_personal() -> None:
    outcome = run(january().assign(items=0, amount=[-1.0] + [1.0] * 6))["ranges"]
    assert outcome.aggregated == {"amount: outside 0 to 100": 1, "items: outside 1 to 9": 7}
    assert outcome.value == 8
    assert len(outcome.rows) == 5
    assert outcome.rows[0] == {
        "column": "amount",
        "reason": "outside 0 to 100",
        "found": -1.0,
        "visitor": MASK,
        "at": "2024-01-01T09:00:00",
    }


def test_outcomes_hold_nothing_that_json_cannot_say() -> None:
    gone = run(january().assign(amount=np.nan), reference=january())["distribution"]
    assert (gone.passed, gone.value) == (False, None)
    endless = run(put(0, "amount", np.inf)(january()))["ranges"]
    assert endless.rows[0]["found"] == "inf"


@pytest.mark.parametrize("column", tiny.COLUMNS)
def test_a_missing_or_retyped_column_leaves_every_check_with_an_outcome(column: str) -> None:
    for frame in (january().drop(columns=column), january().assign(**{column: [1j] * 7})):
        outcomes = run(frame, reference=january(), usual_rows=[7])
        assert tuple(outcomes) == NAMES
        assert not outcomes["schema"].passed


def test_what_rests_on_a_missing_column_fails() -> None:
    outcomes = run(january().drop(columns="at"))
    unjudged = {"schema", "nulls", "uniqueness", "volume", "freshness", "label_rate"}
    unjudged |= {"late_partitions", "copied_partitions"}
    assert failed(outcomes) == unjudged
    assert outcomes["volume"].summary == "cannot be judged: at is missing or of another type"


def test_an_empty_frame_passes_no_volume_freshness_or_label_rate() -> None:
    outcomes = run(january().head(0), reference=january())
    assert {"volume", "freshness", "label_rate", "distribution"} == failed(outcomes)
