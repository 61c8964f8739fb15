import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.evaluation.intervals import (
    MAX_GROUPS,
    draw_groups,
    draw_metric,
    gain,
    pairs_won,
)
from mlops_pipeline.evaluation.measures import METRICS, measure
from mlops_pipeline_tests.evaluation.cases import rows

NAMES = sorted(METRICS)


def test_pairs_are_won_between_groups_and_a_tie_is_half() -> None:
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    scores = np.array([0.9, 0.6, 0.6, 0.1])
    draws = draw_groups(np.array([7, 7, 8, 8]), resamples=1, seed=0)
    assert pairs_won(draws, labels, scores).tolist() == [[1.0, 1.0], [0.5, 1.0]]


@pytest.mark.parametrize("name", NAMES)
def test_every_draw_is_the_metric_of_the_rows_it_took(name: str) -> None:
    judged, truth = rows(200, days=6)
    scores = np.round(truth, 2)
    draws = draw_groups(judged.groups, resamples=20, seed=3)
    drawn = draw_metric(name, draws, judged.labels, scores, 0.5)
    for weights, found in zip(draws.weights, drawn, strict=True):
        taken = np.repeat(np.arange(200), weights[draws.member].astype(int))
        if name == "ece":  # its bins are those of all rows
            assert found >= 0
            continue
        expected = measure(name, judged.labels[taken], scores[taken], 0.5)
        assert found == pytest.approx(expected, abs=1e-12)


def test_the_last_draws_leave_each_group_out_once() -> None:
    draws = draw_groups(np.array([3, 3, 5, 9]), resamples=7, seed=0)
    drawn = draws.rate(np.array([1.0, 3.0, 5.0, 6.0]))
    assert draws.left_out(drawn).tolist() == [5.5, 10 / 3, 3.0]
    assert len(draws.resampled(drawn)) == 7
    some = draws.only(np.array([0, 2]))  # group 9 has no rows here
    assert some.left_out(some.rate(np.array([1.0, 5.0]))).tolist() == [5.0, 1.0]


def test_the_calibration_error_of_a_draw_keeps_the_bins_of_all_rows() -> None:
    labels = np.array([0.0, 1.0, 1.0, 1.0])
    scores = np.array([0.2, 0.2, 0.8, 0.8])
    draws = draw_groups(np.array([0, 1, 0, 1]), resamples=50, seed=0)
    drawn = draw_metric("ece", draws, labels, scores, 0.5)
    by_hand = {(1, 1): (0.6 + 0.4) / 4, (2, 0): (0.4 + 0.4) / 4, (0, 2): (1.6 + 0.4) / 4}
    by_hand |= {(1, 0): by_hand[2, 0], (0, 1): by_hand[0, 2]}
    for weights, found in zip(draws.weights.astype(int), drawn, strict=True):
        assert found == pytest.approx(by_hand[tuple(weights)])


@pytest.mark.parametrize("name", sorted(HIGHER_IS_BETTER))
def test_a_gain_is_positive_where_the_candidate_is_better(name: str) -> None:
    better, worse = (0.8, 0.3) if HIGHER_IS_BETTER[name] else (0.3, 0.8)
    assert gain(name, better, worse) == pytest.approx(0.5)


def test_many_groups_are_dealt_into_blocks_each_group_whole() -> None:
    groups = np.repeat(np.arange(1000), 3)
    draws = draw_groups(groups, resamples=10, seed=0)
    assert draws.weights.shape == (10 + MAX_GROUPS, MAX_GROUPS)
    assert draws.groups == MAX_GROUPS
    blocks = draws.member.reshape(1000, 3)
    assert (blocks == blocks[:, :1]).all()
    assert np.bincount(blocks[:, 0]).tolist() == [5] * MAX_GROUPS


def test_the_same_seed_gives_the_same_draws() -> None:
    groups = np.arange(40)
    one, two, other = (draw_groups(groups, resamples=5, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.weights, two.weights)
    assert not np.array_equal(one.weights, other.weights)


@pytest.mark.slow
def test_a_paired_interval_is_a_hundred_times_cheaper_than_a_loop_over_rows() -> None:
    judged, truth = rows(50_000, days=61)
    noisy = np.clip(truth + np.random.default_rng(1).normal(size=50_000) * 0.1, 0, 1)

    def ours() -> np.ndarray:
        draws = draw_groups(judged.groups, resamples=1000, seed=0)
        pair = [draw_metric("roc_auc", draws, judged.labels, s, 0.5) for s in (truth, noisy)]
        return gain("roc_auc", *pair)

    quickest = min(_seconds(ours) for _ in range(3))
    days = [np.flatnonzero(judged.groups == day) for day in range(61)]

    def theirs() -> float:
        taken = np.concatenate([days[d] for d in np.random.default_rng(0).integers(0, 61, 61)])
        pair = [roc_auc_score(judged.labels[taken], s[taken]) for s in (truth, noisy)]
        return float(pair[0] - pair[1])

    assert quickest * 100 < min(_seconds(theirs) for _ in range(3)) * 1000


def _seconds(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started
