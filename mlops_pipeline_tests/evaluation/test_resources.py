from dataclasses import replace

import numpy as np
import pytest

from mlops_pipeline.contract.promises import Candidate, Resources
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.probe import Probed
from mlops_pipeline.evaluation.resources import PROBES, measure_resources, settled
from mlops_pipeline.training.table import fit
from mlops_pipeline_tests.training.rows import learnable

slow = pytest.mark.slow
PARAMS = {"lightgbm": {"num_boost_round": 5}, "torch": {"epochs": 1}}


@slow
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


@slow
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


@slow
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


@slow
def test_files_that_cannot_be_loaded_are_an_error_with_the_childs_words() -> None:
    with pytest.raises(EvaluationError, match=r"exit 1\): .*model.txt is no LightGBM model"):
        measure_resources(
            "lightgbm",
            {"model.txt": b"?"},
            values=np.zeros((1, 3)),
            expected=np.zeros(1),
            bundle_bytes=1,
        )


LIMITS = Resources(single_row_p99_ms=50, load_seconds=10)
QUIET = Probed(1.0, 0.1, 20.0, 9e4, 90.0, 0.0, True)


@pytest.mark.parametrize(
    ("p99", "load", "asked"),
    [(20.0, 1.0, 1), (26.0, 1.0, PROBES), (20.0, 5.1, PROBES), (60.0, 1.0, PROBES)],
)
def test_a_time_near_its_limit_is_measured_in_three_processes(
    p99: float, load: float, asked: int
) -> None:
    probed = replace(QUIET, single_row_p99_ms=p99, load_seconds=load)
    assert len(settled(lambda: probed, LIMITS)) == asked


@slow
def test_the_median_decides_not_the_best_of_three() -> None:
    rows = learnable()
    model = fit(
        Candidate(name="x", trainer="lightgbm", params=PARAMS["lightgbm"]), rows, rows, seed=0
    )
    use = measure_resources(
        "lightgbm",
        model.files(),
        values=rows.matrix.values[:50],
        expected=model.predict(rows.matrix.values[:50]),
        bundle_bytes=1,
        limits=Resources(single_row_p99_ms=1e-6),
    )
    assert use.probes == PROBES
    assert use.single_row_p99_range is not None
    assert use.load_range is not None
    low, high = use.single_row_p99_range
    assert low < use.single_row_p99_ms < high
    assert use.load_range[0] < use.load_seconds < use.load_range[1]
