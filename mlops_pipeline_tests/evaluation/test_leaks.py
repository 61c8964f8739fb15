"""The probe finds the ways by which an answer reaches a model before its time."""

import numpy as np
import pytest

from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.leaks import probe_leaks
from mlops_pipeline.evaluation.records import Estimate, Leak, LeakProbe
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.evaluation.cases import contract, report


def side(seed: int, leak: str | None = None) -> LabelledRows:
    """400 rows of noise in which one feature may tell the answer."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(400) < 0.3).astype(float)
    values = chance.normal(size=(400, 2))
    if leak == "by its value":
        values[:, 1] = labels + chance.normal(size=400) * 0.01
    if leak == "by its range of values":
        values[:, 1] = np.where(labels == 1, 0.0, chance.choice([-1.0, 1.0], 400))
        values[:, 1] += chance.normal(size=400) * 0.01
    if leak == "by being absent":
        values[labels == 1, 1] = np.nan
    matrix = FeatureMatrix(("honest", "told"), values, (0, 0))
    return LabelledRows(matrix, labels, np.arange(400))


@pytest.mark.parametrize("way", ["by its value", "by its range of values", "by being absent"])
def test_a_feature_that_tells_the_answer_is_found(way: str) -> None:
    found = probe_leaks(side(1, way), side(2, way)).found
    assert [leak.where for leak in found] == ["told"]
    assert found[0].strength > 0.95
    assert f"feature told tells the answer {way}" in found[0].text


def test_noise_is_no_leak() -> None:
    assert probe_leaks(side(1), side(2)).found == ()


def test_rows_that_were_trained_on_are_found() -> None:
    found = probe_leaks(side(1), side(2), train_keys=["a", "b"], test_keys=["b", "c"]).found
    assert found == (Leak("rows", 1.0, "1 rows of the test were trained on"),)


def test_training_that_reaches_into_the_test_is_found() -> None:
    found = probe_leaks(side(1), side(2), train_until=10.0, test_from=8.0).found
    assert [leak.where for leak in found] == ["time"]
    assert probe_leaks(side(1), side(2), train_until=7.0, test_from=8.0).found == ()


def test_a_column_without_any_value_is_no_leak() -> None:
    empty = side(1)
    empty.matrix.values[:, 1] = np.nan
    assert probe_leaks(empty, empty).found == ()


def test_a_leak_that_was_found_holds_for_a_person_and_stands_among_the_reasons() -> None:
    suspicious = report(
        gain=Estimate(0.2, 0.18, 0.22),
        leaks=LeakProbe(2, 400, (Leak("told", 1.0, "feature told tells the answer"),)),
    )
    result = judge(contract(), suspicious)
    assert result.verdict is Verdict.HOLD
    assert result.reasons[-1].text == "leak probe: feature told tells the answer"


def test_a_probe_that_found_nothing_still_holds_for_a_person() -> None:
    suspicious = report(gain=Estimate(0.2, 0.18, 0.22), leaks=LeakProbe(2, 400, ()))
    result = judge(contract(), suspicious)
    assert result.verdict is Verdict.HOLD
    assert any("leak probe: nothing found" in f.text for f in result.findings)
