"""A failed candidate says what failed, where, what is new, and what to try."""

from dataclasses import replace

from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import Change, Estimate
from mlops_pipeline.evaluation.remedies import Remedy, remedy
from mlops_pipeline_tests.evaluation.cases import GOOD_USE, contract, report
from mlops_pipeline_tests.evaluation.test_gates import sliced

CHANGED = (
    Change("trained on", "2024-01", "2024-02"),
    Change("parameter num_leaves", "31", "63"),
)


def of(**changes: object) -> Remedy:
    """The remedy for a report with these changes."""
    asked = contract(slices=[{"by": "shop", "margin": 0.05}])
    found = report(**{"slices": (sliced("a", 0.9, gain=Estimate(0.1, 0, 0.2)),), **changes})  # type: ignore[arg-type]
    return remedy(found, judge(asked, found))


def test_a_vetoed_slice_stands_first_with_its_rows() -> None:
    mild = sliced("b", 0.9, gain=Estimate(-0.01, -0.02, 0.0), rows=900)
    found = of(slices=(mild, sliced("a", 0.001)))
    assert [(s.slice, s.rows, s.vetoed) for s in found.slices] == [
        ("shop = a", 300, True),
        ("shop = b", 900, False),
    ]
    assert "look at the rows of shop = a" in found.actions[0]
    assert found.summary.startswith("trees: reject: shop = a")


def test_too_few_rows_ask_for_more_or_for_a_person() -> None:
    found = of(gain=Estimate(0.0, -0.02, 0.02))
    assert found.actions == (
        "wait for about 3,000 more rows (log_loss against the champion), or let a person pass it "
        "with a reason",
    )


def test_the_parameter_that_moved_and_the_rows_that_are_new_are_named() -> None:
    found = of(gain=Estimate(-0.2, -0.3, -0.1), changes=CHANGED)
    assert found.differences == CHANGED
    assert "go back to the champion's parameters: num_leaves=31" in found.actions
    assert "the newest rows differ: compare drift of 2024-02" in found.actions


def test_a_budget_that_is_broken_asks_for_a_smaller_model() -> None:
    found = of(resources=replace(GOOD_USE, bundle_mib=900.0))
    assert found.actions == (
        "make the model smaller (fewer rounds, leaves or layers): bundle size",
    )
    assert found.failing == ("bundle size: 900 MiB > 100 MiB",)
