from array import array

import numpy as np
import pytest

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.lightgbm_native import LightGBMScorer, library_path
from mlops_pipeline_tests.serving.world import flights, probability, trees

NAN = float("nan")
CONTRACT = flights()
NAMES = [feature.name for feature in CONTRACT.features.columns]
MODEL = trees(CONTRACT).encode()


def vector(distance: float, late: float) -> "array[float]":
    row = array("d", [0.0] * len(NAMES))
    row[NAMES.index("distance")] = distance
    row[NAMES.index("carrier_late_28d")] = late
    return row


@pytest.mark.parametrize(
    ("distance", "late", "raw"), [(500, 0.1, -2), (500, 0.5, 1), (2000, 0.1, 0), (2000, 0.5, 3)]
)
def test_the_trees_give_what_was_computed_by_hand(distance: float, late: float, raw: float) -> None:
    assert LightGBMScorer(MODEL, len(NAMES)).score(vector(distance, late)) == probability(raw)


def test_a_batch_gives_the_numbers_of_its_rows() -> None:
    scorer = LightGBMScorer(MODEL, len(NAMES))
    rows = [vector(500, 0.1), vector(2000, 0.5), vector(NAN, NAN)]
    assert scorer.score_batch(rows) == [scorer.score(row) for row in rows]
    assert scorer.score_batch([]) == []


def test_a_row_of_another_width_is_refused_before_native_code_reads_it() -> None:
    scorer = LightGBMScorer(MODEL, len(NAMES))
    with pytest.raises(ServingError, match="reads 18 features; the row has 2"):
        scorer.score(array("d", [1.0, 2.0]))
    with pytest.raises(ServingError, match="reads 18 features; a row has 2"):
        scorer.score_batch([array("d", [1.0, 2.0])])


def test_a_model_of_another_width_is_refused() -> None:
    with pytest.raises(ServingError, match="18 features and 1 outputs; the version declares 3"):
        LightGBMScorer(MODEL, 3)


def test_bytes_that_are_no_model_are_refused_with_their_place() -> None:
    with pytest.raises(ServingError, match=r"here/model.txt: LightGBM: "):
        LightGBMScorer(b"no model", 18, where="here/model.txt")


def test_the_library_is_found_without_importing_the_package() -> None:
    assert library_path().is_file()


@pytest.mark.slow
def test_every_number_is_the_boosters_bit_for_bit() -> None:
    import lightgbm

    chance = np.random.default_rng(5)
    rows = chance.normal(size=(2_000, 6))
    rows[:, 0] = chance.integers(0, 12, 2_000)
    rows[chance.random(rows.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(rows[:, 1]) + (rows[:, 0] == 3) > 0.4).astype(float)
    booster = lightgbm.train(
        {"objective": "binary", "num_threads": 1, "verbosity": -1, "num_leaves": 15},
        lightgbm.Dataset(rows, labels, categorical_feature=[0]),
        num_boost_round=40,
    )
    strange = np.array([[NAN] * 6, [99, 1e300, -1e300, 0, -0.0, 5e-324]])
    asked = np.vstack([rows[:500], strange])
    expected = np.asarray(booster.predict(asked, num_threads=1)).tolist()
    scorer = LightGBMScorer(booster.model_to_string().encode(), 6)
    vectors = [array("d", row) for row in asked.tolist()]
    assert [scorer.score(row) for row in vectors] == expected
    assert scorer.score_batch(vectors) == expected
