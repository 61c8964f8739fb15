import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.evaluation.delong import auc_estimates
from mlops_pipeline.evaluation.records import SliceStatus
from mlops_pipeline.evaluation.slices import cut_values, holm
from mlops_pipeline_tests.evaluation.cases import contract, evaluated, rows

BY_SHOP = {"by": "shop", "margin": 0.05, "min_rows": 100, "min_positives": 20}


def shops(count: int = 1500) -> np.ndarray:
    """Shops a and b in turn; c has ten rows."""
    names = np.array(["a", "b"], dtype=object)[np.arange(count) % 2]
    names[:10] = "c"
    return names


def test_holm_adjusts_the_smallest_most_and_never_reverses_the_order() -> None:
    # 4 x .01; 3 x .02 = .06; 2 x .03 = .06 already reached; 1 x .5
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_lies_between_the_raw_p_value_and_bonferroni(p_values: list[float]) -> None:
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p_values)) + 1e-12


def test_bins_are_half_open_and_the_last_is_closed() -> None:
    values = np.array([0.0, 5.9, 6.0, 12.0, -1.0, 13.0, np.nan])
    names, place = cut_values(contract(), "hour", values, (0, 6, 12))
    assert [names[i] for i in place] == [
        "[0, 6)",
        "[0, 6)",
        "[6, 12]",
        "[6, 12]",
        "(outside)",
        "(outside)",
        "(missing)",
    ]


def test_category_codes_are_named_by_the_contract() -> None:
    names, place = cut_values(contract(), "shop", np.array([2.0, 0.0, np.nan, 9.0]))
    assert [names[i] for i in place] == ["c", "a", "(missing)", "(outside)"]
    assert names[:3] == ["a", "b", "c"]


def test_a_declared_category_without_rows_is_listed() -> None:
    names, place = cut_values(contract(), "shop", np.array(["b", None], dtype=object))
    assert names == ["a", "b", "c", "(missing)"]
    assert place.tolist() == [1, 3]


def test_whole_numbers_are_named_without_a_point() -> None:
    names, _ = cut_values(contract(), "items", np.array([3.0, 1.0]))
    assert names == ["1", "3"]


def test_a_slice_with_few_rows_is_listed_as_too_small_with_its_counts() -> None:
    judged, truth = rows()
    found = evaluated(contract(slices=[BY_SHOP]), truth, truth, cuts={"shop": shops()})
    by_name = {s.value: s for s in found.slices}
    assert list(by_name) == ["a", "b", "c"]
    assert by_name["c"].status is SliceStatus.TOO_SMALL
    assert by_name["c"].detail.startswith("10 rows, ")
    assert by_name["a"].rows == 745
    assert by_name["a"].positives == int(judged.labels[shops() == "a"].sum())


def test_harm_to_one_slice_is_found_there_and_only_there() -> None:
    _, truth = rows()
    broken = np.where(shops() == "b", 1 - truth, truth)
    found = evaluated(contract(slices=[BY_SHOP]), broken, truth, cuts={"shop": shops()})
    by_name = {s.value: s for s in found.slices}
    assert by_name["a"].gain is not None
    assert by_name["a"].gain.value == 0
    assert by_name["a"].harm_p == 1.0
    assert by_name["b"].harm_p is not None
    assert by_name["b"].harm_p < 1e-4


def test_without_a_champion_slices_have_no_baseline_but_their_metric() -> None:
    _, truth = rows()
    found = evaluated(contract(slices=[BY_SHOP]), truth, None, cuts={"shop": shops()})
    assert found.slices[0].status is SliceStatus.NO_BASELINE
    assert found.slices[0].candidate is not None
    assert found.slices[0].gain is None


def test_a_declared_slice_that_was_not_given_is_missing() -> None:
    _, truth = rows()
    found = evaluated(contract(slices=[BY_SHOP]), truth, truth)
    assert [(s.value, s.status) for s in found.slices] == [("*", SliceStatus.MISSING)]
    assert found.slices[0].detail == "no values of 'shop' were given"


def test_a_slice_in_too_few_days_for_an_interval_is_missing_not_passed() -> None:
    judged, truth = rows()
    early = np.where(judged.groups < 4, "a", "b").astype(object)
    found = evaluated(contract(slices=[BY_SHOP]), truth, truth, cuts={"shop": early})
    assert found.slices[0].status is SliceStatus.MISSING
    assert "undefined on these" in found.slices[0].detail


def test_inside_a_slice_of_independent_rows_the_auc_is_compared_by_delong() -> None:
    judged, truth = rows()
    other = np.clip(truth + 0.1 * np.random.default_rng(0).normal(size=1500), 0.01, 0.99)
    declared = [{**BY_SHOP, "metric": "roc_auc"}]
    found = {}
    for group in ("row", "day"):
        asked = contract(splits={"train_from": "2024-01-01", "group": group}, slices=declared)
        found[group] = evaluated(asked, other, truth, cuts={"shop": shops()}).slices[0]
    part = shops() == "a"
    expected = auc_estimates(judged.labels[part], other[part], truth[part], 0.9)[2]
    assert found["row"].gain == expected
    assert found["day"].gain != expected
    assert found["row"].harm_p is not None
    assert found["row"].harm_p > 0.5


def test_harm_to_a_slice_of_independent_rows_is_proven_by_delong() -> None:
    _, truth = rows()
    broken = np.where(shops() == "b", 1 - truth, truth)
    asked = contract(
        splits={"train_from": "2024-01-01", "group": "row"},
        slices=[{**BY_SHOP, "metric": "roc_auc"}],
    )
    a, b, _ = evaluated(asked, broken, truth, cuts={"shop": shops()}).slices
    assert (a.harm_p, b.harm_p is not None and b.harm_p < 1e-6) == (1.0, True)
