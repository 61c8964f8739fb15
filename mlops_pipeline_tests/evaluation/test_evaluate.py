import time

import numpy as np
import pytest

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.tasks import TASKS
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.evaluate import evaluate, rows_digest
from mlops_pipeline.evaluation.records import read_report, report_json
from mlops_pipeline.settings import PACKAGE_MODELS
from mlops_pipeline_tests.evaluation.cases import contract, evaluated, rows


def test_every_metric_is_measured_for_both_and_paired() -> None:
    judged, truth = rows()
    worse = np.clip(truth * 0.5 + 0.25, 0, 1)
    found = evaluated(contract(), truth, worse)
    assert set(found.metrics) == set(TASKS["binary"].metrics)
    loss = found.metrics["log_loss"]
    assert loss.champion is not None
    assert loss.gain is not None
    assert loss.gain.value == pytest.approx(
        (loss.champion.value or 0) - (loss.candidate.value or 0)
    )
    assert loss.gain.low is not None
    assert loss.gain.low > 0
    auc = found.metrics["roc_auc"]
    assert auc.gain is not None
    assert (auc.gain.value, auc.gain.low, auc.gain.high) == (0, 0, 0)  # the same ranking
    assert (found.rows, found.positives, found.groups) == (1500, judged.positives, 30)


def test_pairing_makes_the_interval_of_a_small_gain_narrow() -> None:
    _, truth = rows()
    near = np.clip(truth + 0.01, 0, 1)
    found = evaluated(contract(), truth, near).metrics["brier"]
    assert found.gain is not None
    assert found.candidate.whole
    widths = [(e.high or 0) - (e.low or 0) for e in (found.gain, found.candidate)]
    assert widths[0] * 10 < widths[1]


def test_swapping_candidate_and_champion_mirrors_every_gain() -> None:
    _, truth = rows()
    other = np.clip(truth * 0.7 + 0.1, 0, 1)
    one = evaluated(contract(), truth, other).metrics
    two = evaluated(contract(), other, truth).metrics
    for name in TASKS["binary"].metrics:
        ahead, behind = one[name].gain, two[name].gain
        assert ahead is not None
        assert behind is not None
        assert (ahead.value, ahead.low, ahead.high) == pytest.approx(
            tuple(-(v or 0) for v in (behind.value, behind.high, behind.low)), abs=1e-12
        )


def test_a_score_that_is_not_finite_leaves_nothing_measured() -> None:
    _, truth = rows()
    truth[3] = np.nan
    found = evaluated(contract(), truth, None)
    assert all(metric.candidate.value is None for metric in found.metrics.values())
    assert found.reliability == ()
    assert found.calibration_p is None


def test_without_a_champion_it_is_a_first_version() -> None:
    found = evaluated(contract(), rows()[1], None)
    assert found.first_version
    assert found.champion_version is None
    assert found.metrics["roc_auc"].gain is None


def test_the_same_rows_and_seed_give_the_same_report() -> None:
    _, truth = rows()
    assert report_json(evaluated(contract(), truth, truth)) == report_json(
        evaluated(contract(), truth, truth)
    )


def test_a_report_reads_back_as_it_was_written() -> None:
    found = evaluated(contract(), rows()[1], rows()[1])
    assert read_report(report_json(found)) == found
    with pytest.raises(EvaluationError, match="this is no evaluation report"):
        read_report(b"{}")


def test_the_digest_of_the_rows_changes_with_any_of_them() -> None:
    judged, _ = rows()
    changed, _ = rows()
    changed.labels[0] = 1 - changed.labels[0]
    assert rows_digest(judged) == rows_digest(rows()[0])
    assert rows_digest(judged) != rows_digest(changed)


def test_reliability_and_confusion_count_every_row() -> None:
    judged, truth = rows()
    found = evaluated(contract(), truth, None)
    assert sum(b.rows for b in found.reliability) == 1500
    assert len(found.reliability) == 10
    assert [b.score for b in found.reliability] == sorted(b.score for b in found.reliability)
    counts = found.confusion
    assert counts.true_positive + counts.false_negative == judged.positives
    assert counts.true_positive + counts.false_positive == int((truth > 0.5).sum())
    assert counts.true_negative + counts.false_positive == 1500 - judged.positives


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"scores has shape \(3,\) for 1500 rows"):
        evaluated(contract(), np.zeros(3), None)
    with pytest.raises(EvaluationError, match=r"cut 'shop' has shape \(2,\) for 1500 rows"):
        evaluated(contract(), rows()[1], None, cuts={"shop": np.zeros(2)})


def test_no_rows_cannot_be_evaluated() -> None:
    none = rows()[0].only(np.zeros(1500, dtype=bool))
    with pytest.raises(EvaluationError, match=r"no labelled rows .* widen the test window"):
        evaluated(contract(), np.empty(0), None, judged=none)


def test_champion_scores_need_the_champions_version() -> None:
    judged, truth = rows()
    with pytest.raises(EvaluationError, match="give both or none"):
        evaluate(
            contract(),
            candidate="trees",
            rows=judged,
            cuts={},
            scores=truth,
            champion_scores=truth,
            champion_version=None,
            resources=None,
            seed=0,
        )


@pytest.mark.slow
def test_a_month_of_flights_is_evaluated_in_two_seconds() -> None:
    asked = load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")
    judged, truth = rows(28_000)
    chance = np.random.default_rng(2)
    cuts = {
        "carrier": chance.choice(list(asked.column("carrier").categories), 28_000),
        "origin": chance.choice(["EWR", "JFK", "LGA"], 28_000),
        "hour": chance.integers(0, 24, 28_000).astype(float),
    }
    started = time.process_time()
    found = evaluated(asked, truth, np.clip(truth + 0.02, 0, 1), cuts=cuts, judged=judged)
    assert time.process_time() - started < 2
    assert len(found.slices) == 16 + 3 + 4
