import lightgbm
import numpy as np

from mlops_pipeline.training.lightgbm import FILE, LightgbmTrainer
from mlops_pipeline_tests.training.rows import CARDINALITIES, NAMES, learnable

PARAMS = {"num_boost_round": 10, "num_leaves": 7, "min_data_in_leaf": 5}


def test_the_stored_text_is_the_trees_and_not_how_they_were_grown() -> None:
    one, two = (
        LightgbmTrainer()
        .fit(learnable(), learnable(), params={**PARAMS, "num_threads": threads}, seed=3)
        .files()[FILE]
        for threads in (1, 2)
    )
    assert b"parameters" not in one
    assert one == two


def test_predictions_are_those_of_lightgbm_itself() -> None:
    rows = learnable()
    own = LightgbmTrainer().fit(rows, rows, params=PARAMS, seed=3)
    options = {"objective": "binary", "seed": 3, "deterministic": True, "force_row_wise": True}
    options |= {"num_threads": 1, "verbosity": -1, "num_leaves": 7, "min_data_in_leaf": 5}
    data = lightgbm.Dataset(
        rows.matrix.values,
        label=rows.labels,
        feature_name=list(NAMES),
        categorical_feature=[i for i, k in enumerate(CARDINALITIES) if k],
        params=options,
    )
    theirs = lightgbm.train(options, data, num_boost_round=10)
    asked = learnable(seed=9).matrix.values
    assert np.array_equal(own.predict(asked), theirs.predict(asked))


def test_categories_are_split_as_sets_not_as_numbers() -> None:
    text = LightgbmTrainer().fit(learnable(), learnable(), params=PARAMS, seed=0).files()[FILE]
    assert b"cat_threshold=" in text
