"""Labels of classes: places of declared ones, and whatever is none of them is named."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import contrast, label, yes_or_no
from mlops_pipeline.data.quality import run_checks
from mlops_pipeline.errors import DataError
from mlops_pipeline_tests.data import tiny

BOUND = {"metric": "accuracy", "margin": 0.1}
WATCHED = {**tiny.CONTRACT["monitoring"], "performance": [BOUND]}
ACCEPTANCE = {"choose_by": "log_loss", "criteria": [{"metric": "accuracy", "at_least": 0.1}]}


AS_OF = datetime(2024, 3, 1)  # noqa: DTZ001  event times carry no zone


def contract(
    kind: str = "number", *, features: dict[str, object] | None = None, **target: object
) -> ModelContract:
    columns = [
        {**column, "type": kind} if column["name"] == "result" else column
        for column in tiny.CONTRACT["columns"]
    ]
    told = {**tiny.CONTRACT["target"], **target}
    return tiny.contract(
        task="multiclass",
        target=told,
        columns=columns,
        features=tiny.CONTRACT["features"] if features is None else features,
        acceptance=ACCEPTANCE,
        monitoring=WATCHED,
    )


BANDS = contract(classes=["low", "middle", "high"], bounds=[0.0, 2.0])


def results(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"result": list(values)})


def test_a_bound_is_the_highest_number_of_its_class_and_nothing_is_no_class() -> None:
    found = label(BANDS, results(-5.0, 0.0, 0.1, 2.0, np.nextafter(2.0, 3), np.inf, np.nan))

    np.testing.assert_array_equal(found, [0, 0, 1, 1, 2, 2, np.nan])
    assert found.dtype == np.float64


def test_whole_numbers_are_classes_by_their_digits() -> None:
    asked = contract("integer", classes=["1", "2", "30"])

    np.testing.assert_array_equal(label(asked, results(30.0, 1.0, None, 2.0)), [2, 0, np.nan, 1])


def test_an_outcome_that_is_no_class_is_named_with_those_that_are() -> None:
    asked = contract("integer", classes=["1", "2", "30"])

    with pytest.raises(DataError, match=r"result holds 7\.0, which is none of the classes 1, 2, 3"):
        label(asked, results(1.0, 7.0))


def test_where_nothing_counts_as_yes_there_is_nothing_for_history_to_count() -> None:
    features = {**tiny.CONTRACT["features"], "columns": tiny.CONTRACT["features"]["columns"][:4]}
    asked = contract("integer", features=features, above=None, classes=["1", "2", "30"])

    assert np.isnan(yes_or_no(asked, results(1.0, 2.0))).all()
    np.testing.assert_array_equal(yes_or_no(BANDS, results(1.0, -2.0)), [1, 0])


def test_the_question_for_what_judges_yes_or_no_is_whether_it_is_the_commonest_class() -> None:
    labels = np.array([2.0, 0.0, 2.0, np.nan])

    np.testing.assert_array_equal(contrast(labels, "multiclass"), [1, 0, 1, np.nan])
    usual = np.array([0.0, 0.0, 2.0])
    np.testing.assert_array_equal(contrast(labels, "multiclass", usual=usual), [0, 1, 0, np.nan])


@pytest.mark.parametrize(
    ("limits", "passed", "said"),
    [
        ({"min_rate": 0.0, "max_rate": 1.0}, True, "of 6 labelled rows say"),
        ({"min_rate": 0.3, "max_rate": 1.0}, False, "labelled rows say high, limits 30.00%"),
    ],
)
def test_the_share_of_every_class_lies_within_the_limits(
    limits: dict[str, float], passed: bool, said: str
) -> None:
    asked = contract(classes=["low", "middle", "high"], bounds=[0.0, 1000.0], **limits)

    outcomes = run_checks(asked, tiny.frame(), reference=None, usual_rows=[], as_of=AS_OF)
    (found,) = [outcome for outcome in outcomes if outcome.name == "label_rate"]

    assert (found.passed, said in found.summary) == (passed, True), found.summary
