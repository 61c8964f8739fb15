import numpy as np
import pytest

from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.resources import measure_resources
from mlops_pipeline.training.table import fit
from mlops_pipeline_tests.training.rows import learnable

pytestmark = pytest.mark.slow
PARAMS = {"lightgbm": {"num_boost_round": 5}, "torch": {"epochs": 1}}


@pytest.mark.parametrize("trainer", ["lightgbm", "torch"])
def test_stored_files_answer_as_the_evaluated_model_and_their_cost_is_known(trainer: str) -> None:
    rows = learnable()
    candidate = Candidate.model_construct(name="x", trainer=trainer, params=PARAMS[trainer])
    model = fit(candidate, rows, rows, seed=0)
    use = measure_resources(
        trainer,
        model.files(),
        values=rows.matrix.values,
        expected=model.predict(rows.matrix.values),
        bundle_bytes=1024 * 1024,
    )
    assert use.largest_difference < 1e-9
    assert use.refuses_bad_input
    assert use.bundle_mib == 1
    assert 0 < use.single_row_p50_ms <= use.single_row_p99_ms
    assert use.load_seconds > 0
    assert use.peak_mib > 10
    assert use.rows_per_second > 100


def test_the_memory_of_the_process_that_asks_does_not_count() -> None:
    rows = learnable()
    model = fit(
        Candidate(name="x", trainer="lightgbm", params=PARAMS["lightgbm"]), rows, rows, seed=0
    )
    ballast = np.ones(100_000_000)  # 763 MiB
    use = measure_resources(
        "lightgbm",
        model.files(),
        values=rows.matrix.values,
        expected=model.predict(rows.matrix.values),
        bundle_bytes=1,
    )
    assert use.peak_mib < 500 < ballast.nbytes / 2**20


def test_other_predictions_than_those_evaluated_are_found_out() -> None:
    rows = learnable()
    model = fit(
        Candidate(name="x", trainer="lightgbm", params=PARAMS["lightgbm"]), rows, rows, seed=0
    )
    shifted = model.predict(rows.matrix.values)
    shifted[5] += 0.25
    use = measure_resources(
        "lightgbm", model.files(), values=rows.matrix.values, expected=shifted, bundle_bytes=1
    )
    assert use.largest_difference == pytest.approx(0.25)


def test_files_that_cannot_be_loaded_are_an_error_with_the_childs_words() -> None:
    with pytest.raises(EvaluationError, match=r"exit 1\): .*model.txt is no LightGBM model"):
        measure_resources(
            "lightgbm",
            {"model.txt": b"?"},
            values=np.zeros((1, 3)),
            expected=np.zeros(1),
            bundle_bytes=1,
        )
