"""Two versions' answers to the same requests: alike, or distributed otherwise."""

import numpy as np

from mlops_pipeline.delivery.distribution import LEAST, score_psi
from mlops_pipeline.delivery.evidence import ShadowEvidence
from mlops_pipeline.delivery.judge import Action
from mlops_pipeline_tests.delivery.test_judge import SHADOW, judged

RANDOM = np.random.default_rng(3)
STABLE = RANDOM.uniform(0, 1, 400)


def pairs(candidate: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple(zip(STABLE.tolist(), candidate.tolist(), strict=True))


def test_equal_and_noisy_scores_are_alike_and_squeezed_ones_are_not():
    assert score_psi(pairs(STABLE)) == 0
    assert score_psi(pairs(np.clip(STABLE + RANDOM.normal(0, 0.02, 400), 0, 1))) < 0.05
    assert score_psi(pairs(0.4 + STABLE / 5)) > 1


def test_a_few_pairs_say_nothing():
    assert score_psi(pairs(0.4 + STABLE / 5)[: LEAST - 1]) is None


def test_scores_that_left_their_place_hold_the_rollout_in_shadow_and_are_recorded():
    squeezed = pairs(0.4 + STABLE / 5)
    small = tuple(0.05 for _ in squeezed)  # each moved little
    found = judged(SHADOW, shadow=ShadowEvidence(400, {}, small, squeezed))
    assert found.action is Action.HOLD
    assert found.reasons[0].startswith("scores are distributed otherwise: PSI (")
    assert [f.test for f in found.findings if f.test == "distribution"] == ["distribution"]
    fine = judged(SHADOW, shadow=ShadowEvidence(400, {}, small, pairs(STABLE)))
    assert fine.action is Action.ADVANCE
