"""Relations, unknown shares, gaps, copies, constants, methods and label noise: each found, once."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.distribution import distance
from mlops_pipeline.data.quality import CheckOutcome, run_checks
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.test_sampling import many


def run(
    frame: pd.DataFrame,
    contract: ModelContract | None = None,
    reference: pd.DataFrame | None = None,
) -> dict[str, CheckOutcome]:
    outcomes = run_checks(
        contract or tiny.contract(),
        frame,
        reference=reference,
        usual_rows=(),
        as_of=pd.Timestamp("2024-03-01").to_pydatetime(),
    )
    return {outcome.name: outcome for outcome in outcomes}


def related(holds: str, **words: Any) -> ModelContract:
    return tiny.contract(relations=[{"name": "rule", "holds": holds, **words}])


@pytest.mark.parametrize(
    ("holds", "broken"),
    [
        ("amount >= 10 * items", 0),
        ("amount > 20", 2),  # the missing amount is not judged
        ("empty(amount) or amount > 20", 2),
        ("not empty(amount)", 1),
        ("not (shop == 'b') or items >= 5", 1),
        ("minutes(at) >= 10 * 60", 4),
        ("minutes(at) >= 600 and minutes(at) < 700", 5),
        ("1 <= items <= 6", 1),
        ("(amount - items) % 9 == 0", 0),
        ("amount / items == 10", 0),
        ("amount // 20 < 2", 4),
        ("abs(items - 4) <= 2", 2),
        ("-items < 0", 0),
    ],
)
def test_a_relation_is_counted_over_the_rows_that_have_its_values(holds: str, broken: int) -> None:
    outcome = run(tiny.frame(tiny.ROWS[:7]), related(holds))["relations"]
    assert outcome.passed is (broken == 0)
    assert outcome.aggregated == ({"rule": broken} if broken else {})


def test_rows_that_break_a_relation_are_shown_with_what_it_compares() -> None:
    outcome = run(tiny.frame(tiny.ROWS[:7]), related("amount > 20 or items > 5"))["relations"]
    assert outcome.rows[0] == {
        "column": "amount",
        "reason": "rule",
        "found": 10.0,
        "visitor": "•••",
        "at": "2024-01-01T09:00:00",
        "amount": 10.0,
        "items": 1,
    }
    assert "rule: 33.33% of 6 rows break `amount > 20 or items > 5`" in outcome.summary


def test_some_rows_may_break_a_relation_and_a_soft_one_only_warns() -> None:
    frame = tiny.frame(tiny.ROWS[:7])
    assert run(frame, related("amount > 10", max_share=0.2))["relations"].passed
    soft = run(frame, related("amount > 10", severity="warn"))
    assert soft["relations"].passed
    assert soft["relations_warn"].severity is Severity.WARN
    assert not soft["relations_warn"].passed


def test_a_share_of_unknown_categories_may_be_allowed() -> None:
    frame = tiny.frame(tiny.ROWS[:7]).replace({"shop": {"b": "q"}})
    assert run(frame, tiny.with_column("shop", max_unknown_share=0.5))["categories"].passed
    outcome = run(frame, tiny.with_column("shop", max_unknown_share=0.4))["categories"]
    assert (outcome.passed, outcome.value) == (False, 3 / 7)
    assert outcome.aggregated == {"shop: not in the contract": 3}


def depends(**words: Any) -> ModelContract:
    rule = {"name": "rule", "fixed": ["items"], "given": ["shop"], **words}
    return tiny.contract(dependencies=[rule])


def test_what_a_join_gives_is_one_value_for_all_rows_that_share_its_key() -> None:
    rows = [
        (f"2024-01-0{day}T{hour:02}:00", "a", f"v{day}{hour}", 1.0, items, 1.0)
        for day, hour, items in ((1, 9, 3), (1, 10, 3), (1, 11, 4), (2, 9, 5), (2, 10, 5))
    ]
    frame = tiny.frame(rows)
    assert run(frame, depends(within="hour"))["dependencies"].passed
    outcome = run(frame, depends(within="day"))["dependencies"]
    assert (outcome.passed, outcome.value, outcome.aggregated) == (False, 0.2, {"rule: items": 1})
    assert outcome.rows[0]["found"] == 4
    assert run(frame, depends(within="day", max_share=0.2))["dependencies"].passed
    whole = run(frame, depends())["dependencies"]
    assert whole.aggregated == {"rule: items": 3}  # 3 is as common as 5, and smaller


def test_what_was_trusted_before_says_which_value_is_right() -> None:
    before = tiny.frame([("2024-01-01T09:00", "a", "v", 1.0, 2, 1.0)])
    later = [(f"2024-02-0{day}T09:00", "a", "v", 1.0, 7, 1.0) for day in (1, 2, 3)]
    later.append(("2024-02-04T09:00", "b", "v", 1.0, 7, 1.0))  # a shop that is new
    outcome = run(tiny.frame(later), depends(), before)["dependencies"]
    assert outcome.aggregated == {"rule: items": 3}
    assert run(tiny.frame(later), depends(within="day"), before)["dependencies"].passed


def gaps(limit: int) -> ModelContract:
    return tiny.contract(source={**tiny.CONTRACT["source"], "max_gap_days": limit})


@pytest.mark.parametrize(
    ("days", "gap"),
    [(range(1, 32), 0), (range(4, 32), 3), (range(1, 29), 3), ((*range(1, 9), *range(15, 32)), 6)],
)
def test_days_without_rows_are_counted_at_both_rims_of_a_month(days: Any, gap: int) -> None:
    rows = [(f"2024-01-{day:02}T09:00", "a", f"v{day}", 1.0, 1, 1.0) for day in days]
    outcome = run(tiny.frame(rows), gaps(1))["late_partitions"]
    assert (outcome.passed, outcome.value) == (gap <= 1, gap)
    assert run(tiny.frame(rows), gaps(6))["late_partitions"].passed


def shifted(frame: pd.DataFrame, days: int) -> pd.DataFrame:
    moved = frame.assign(at=frame["at"] + pd.Timedelta(days, "D"))
    return moved[moved["at"] < "2024-03-01"]


def test_a_month_that_repeats_another_is_found_in_the_frame_and_in_the_reference() -> None:
    january = many(2000)
    february = shifted(january, 31)
    both = pd.concat([january, february], ignore_index=True)
    for outcomes in (run(both), run(february, reference=january)):
        outcome = outcomes["copied_partitions"]
        assert not outcome.passed
        assert outcome.value == pytest.approx(1.0)
        assert "2024-0" in outcome.summary
        assert outcome.rows
    fresh = many(2000, seed=2)
    assert run(pd.concat([january, shifted(fresh, 31)]))["copied_partitions"].passed
    assert run(january, reference=january)["copied_partitions"].passed  # the same month


def test_a_column_that_stopped_varying_is_found_if_it_varied_before() -> None:
    before = many(500)
    frozen = shifted(many(500, seed=2), 31).assign(items=3)
    outcome = run(frozen, reference=before)["variation"]
    assert (outcome.passed, outcome.summary) == (False, "items: only 3 in 2024-02")
    assert run(frozen, reference=before.assign(items=3))["variation"].passed
    assert run(frozen)["variation"].passed  # nothing to compare with


def test_only_the_months_that_are_new_are_compared() -> None:
    january = many(3000)
    february = shifted(many(3000, seed=2), 31)
    wrong = february.assign(amount=february["amount"] / 4)
    outcome = run(pd.concat([january, wrong]), reference=january)["distribution"]
    alone = run(wrong, reference=january)["distribution"]
    assert not outcome.passed
    assert outcome.summary == alone.summary


def test_a_seasonal_column_is_held_against_the_newest_month() -> None:
    chance = np.random.default_rng(1)

    def month(at: str, level: float) -> pd.DataFrame:
        rows = many(2000).head(2000)
        rows["at"] = rows["at"] + (pd.Timestamp(at) - pd.Timestamp("2024-01-01"))
        return rows.assign(amount=chance.normal(level, 5, 2000).clip(0, 100))

    past = pd.concat([month("2023-11-01", 20), month("2023-12-01", 60)], ignore_index=True)
    for against, passed in (("all", True), ("newest", False)):
        words = {"method": "wasserstein", "threshold": 1.5, "against": against}
        contract = tiny.with_column("amount", distribution=words)
        outcome = run(month("2024-01-01", 30), contract, past)["distribution"]
        assert outcome.passed is passed, outcome.summary


def test_ids_that_grow_are_not_compared_unless_the_contract_says_how() -> None:
    contract = tiny.contract(entity=["visitor", "at", "items"])
    grown = many(2000).assign(items=9)
    now = shifted(grown.assign(items=np.arange(2000) % 9 + 1), 31)
    assert run(now, contract, many(2000).assign(items=1))["distribution"].passed
    columns = [
        {**c, "distribution": {"method": "psi"}} if c["name"] == "items" else c
        for c in tiny.CONTRACT["columns"]
    ]
    told = tiny.contract(entity=["visitor", "at", "items"], columns=columns)
    assert not run(now, told, many(2000).assign(items=1))["distribution"].passed


def test_distances_are_those_of_their_definitions() -> None:
    one, two = pd.Series([0.0, 1.0]), pd.Series([1.0, 2.0])
    assert distance("wasserstein", one, two) == pytest.approx(1 / 0.5)
    assert distance("ks", one, two) == 0.5
    texts = pd.Series(["a", "a"]), pd.Series(["b", "b"])
    assert distance("jensenshannon", *texts) == pytest.approx(np.sqrt(np.log(2)))
    for method in ("psi", "jensenshannon", "wasserstein", "ks"):
        assert distance(method, one, one) == 0
        assert distance(method, one, one.head(0)) == np.inf
        assert distance(method, one.head(0), one.head(0)) == 0


def sure(rows: int = 4000, flipped: float = 0.0, shop: str | None = None) -> pd.DataFrame:
    """A third of the amounts decide the label; of these some labels are turned."""
    frame = many(rows, seed=5)
    chance = np.random.default_rng(6)
    known = frame["amount"] > 66
    result = np.where(known, 1.0, np.where(chance.random(rows) < 0.3, 1.0, -1.0))
    turned = chance.random(rows) < flipped
    if shop is not None:
        turned &= (frame["shop"] == shop).to_numpy()
    return frame.assign(result=np.where(turned, -result, result))


@pytest.mark.parametrize(("flipped", "shop"), [(0.2, None), (0.3, "b")])
def test_turned_labels_are_bounded_from_below_and_their_group_is_named(
    flipped: float, shop: str | None
) -> None:
    outcome = run(shifted(sure(flipped=flipped, shop=shop), 31), reference=sure())["label_noise"]
    assert (outcome.passed, outcome.severity) == (False, Severity.WARN)
    assert outcome.value is not None
    assert 0.05 < outcome.value <= flipped
    assert "contradict amount" in outcome.summary
    assert outcome.summary.startswith("shop=b" if shop else "")
    assert outcome.rows


def test_labels_as_they_were_are_not_noise_and_without_a_sure_column_nothing_is_said() -> None:
    assert run(shifted(sure(), 31), reference=sure())["label_noise"].passed
    outcome = run(shifted(many(3000), 31), reference=many(3000))["label_noise"]
    assert (outcome.passed, outcome.value) == (True, None)
    assert "nothing to judge by" in outcome.summary
