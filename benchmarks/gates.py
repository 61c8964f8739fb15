"""How often the gate errs, how wide its intervals should be and are, and what they cost.

    python benchmarks/gates.py [--quick] [--json]

Rows are simulated with a known truth, so that coverage and errors can be counted: days share a
shift in the outcome and in each model's score, as flights share weather. The same functions judge
as in production. The true gain in log-loss is an integral, that in AUC is 0 by symmetry: a truth
that is itself simulated would be off by enough to move a share of 0.05 by 0.01.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from mlops_pipeline.evaluation.delong import auc_estimates
from mlops_pipeline.evaluation.estimates import estimate
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric, gain
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.outcomes import Outcome, against_champion
from mlops_pipeline.evaluation.records import Estimate

CONFIDENCE = 0.9
MARGIN = 0.01
SPREAD = 0.5  # of a model's own error in log-odds
NODES = 120  # of the integral over the log-odds and the error in them
SIZES = ((1_000, 20), (5_000, 30), (25_000, 60))  # rows, days
ALONE = (200, 1_000, 5_000)  # independent rows
BASE, WIDTH = -1.2, 1.3  # mean and spread of the log-odds


@dataclass(frozen=True)
class World:
    """How far rows of one day belong together: in the outcome, and in each model's error."""

    day: float
    shared: float


@dataclass(frozen=True)
class Rows:
    """Labels, days and the scores of two models."""

    labels: np.ndarray
    days: np.ndarray
    candidate: np.ndarray
    champion: np.ndarray


CLUSTERED, INDEPENDENT = World(0.6, 1.0), World(0.0, 0.0)


def simulate(chance: np.random.Generator, world: World, rows: int, days: int, worse: float) -> Rows:
    """Rows on which the candidate's error in log-odds is `worse` times the champion's."""
    day = chance.integers(0, days, rows)
    odds = chance.normal(size=rows) * WIDTH + BASE + world.day * chance.normal(size=days)[day]

    def score(spread: float) -> np.ndarray:
        own, common = chance.normal(size=rows), chance.normal(size=days)[day]
        return np.asarray(expit(odds + spread * own + world.shared * spread * common))

    candidate, champion = score(SPREAD * worse), score(SPREAD)
    return Rows((chance.random(rows) < expit(odds)).astype(float), day, candidate, champion)


def expected_log_loss(world: World, worse: float) -> float:
    """The log-loss of a model whose error is `worse` times as large (Gauss-Hermite quadrature)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    odds = BASE + np.hypot(WIDTH, world.day) * nodes
    error = SPREAD * worse * np.hypot(1, world.shared) * nodes
    score = odds[:, None] + error[None, :]
    chance = expit(odds)[:, None]
    loss = chance * np.logaddexp(0, -score) + (1 - chance) * np.logaddexp(0, score)
    return float(weights @ loss @ weights / weights.sum() ** 2)


def worse_by(world: World, loss: float) -> float:
    """How much larger the candidate's error must be for it to lose `loss` of log-loss."""
    champion = expected_log_loss(world, 1.0)
    return float(brentq(lambda w: expected_log_loss(world, w) - champion - loss, 1.0, 4.0))


def interval(metric: str, rows: Rows, *, by_row: bool = False, resamples: int = 500) -> Estimate:
    """The gain with the interval that the gate would see; `by_row` resamples rows instead."""
    groups = np.arange(len(rows.labels)) if by_row else rows.days
    draws = draw_groups(groups, resamples=resamples, seed=1)
    drawn = [
        draw_metric(metric, draws, rows.labels, s, 0.5) for s in (rows.candidate, rows.champion)
    ]
    return estimate(_gain(metric, rows), gain(metric, *drawn), draws, CONFIDENCE)


def percentiles(metric: str, rows: Rows, *, resamples: int = 500) -> Estimate:
    """The gain with the bootstrap's percentiles alone, for comparison."""
    draws = draw_groups(rows.days, resamples=resamples, seed=1)
    drawn = [
        draw_metric(metric, draws, rows.labels, s, 0.5) for s in (rows.candidate, rows.champion)
    ]
    found = draws.resampled(gain(metric, *drawn))
    low, high = np.quantile(found, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(_gain(metric, rows), float(low), float(high))


def by_delong(metric: str, rows: Rows) -> Estimate:
    """The gain in AUC as the gate sees it where rows are independent."""
    found = auc_estimates(rows.labels, rows.candidate, rows.champion, CONFIDENCE)[2]
    return found or Estimate(None, None, None)


def coverage(
    world: World,
    metric: str,
    repeats: int,
    *,
    judged: Callable[[str, Rows], Estimate],
    size: tuple[int, int] = (3_000, 30),
) -> float:
    """Share of intervals that hold the true gain of equals, which is 0; asked is `CONFIDENCE`."""
    held = 0
    for seed in range(repeats):
        rows = simulate(np.random.default_rng([seed, size[0]]), world, *size, 1.0)
        found = judged(metric, rows)
        held += bool(found.low is not None and found.low <= 0 <= (found.high or 0.0))
    return held / repeats


def verdicts(
    world: World,
    worse: float,
    repeats: int,
    judged: Callable[[str, Rows], Estimate],
) -> dict[str, dict[str, float]]:
    """Share of each outcome at each size, for a candidate that is so much worse."""
    found: dict[str, dict[str, float]] = {}
    for count, days in SIZES:
        outcomes = [
            against_champion(
                judged(
                    "log_loss",
                    simulate(np.random.default_rng([seed, count]), world, count, days, worse),
                ),
                MARGIN,
            )
            for seed in range(repeats)
        ]
        passed = {Outcome.SUPERIOR, Outcome.NON_INFERIOR}
        found[f"{count}"] = {
            "accepted": sum(o in passed for o in outcomes) / repeats,
            "rejected": sum(o is Outcome.INFERIOR for o in outcomes) / repeats,
            "held": sum(o is Outcome.INCONCLUSIVE for o in outcomes) / repeats,
        }
    return found


def cost(loops: int) -> dict[str, float]:
    """Seconds of a paired AUC and log-loss interval, 1,000 resamples of 50,000 rows of 61 days."""
    rows = simulate(np.random.default_rng(0), CLUSTERED, 50_000, 61, 1.0)
    for metric in ("roc_auc", "log_loss"):
        interval(metric, rows, resamples=1_000)  # warm
    own = {
        m: _seconds(partial(interval, m, rows, resamples=1_000)) for m in ("roc_auc", "log_loss")
    }
    loop = _seconds(lambda: _sklearn_loop(rows, loops)) * 1_000 / loops
    total = sum(own.values())
    return {
        "roc_auc": own["roc_auc"],
        "log_loss": own["log_loss"],
        "both": total,
        "sklearn_loop": loop,
        "times_faster": loop / total,
    }


def _sklearn_loop(rows: Rows, loops: int) -> None:
    """What one would write: draw days, take their rows, ask scikit-learn twice for each model."""
    chance = np.random.default_rng(0)
    of_day = [np.flatnonzero(rows.days == day) for day in range(61)]
    for _ in range(loops):
        taken = np.concatenate([of_day[day] for day in chance.integers(0, 61, 61)])
        for scores in (rows.candidate, rows.champion):
            roc_auc_score(rows.labels[taken], scores[taken])
            log_loss(rows.labels[taken], scores[taken])


def _gain(metric: str, rows: Rows) -> float:
    pair = [measure(metric, rows.labels, s, 0.5) for s in (rows.candidate, rows.champion)]
    return float(gain(metric, *pair))


def _seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> int:
    """Print the tables, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, coarser")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    repeats = 300 if asked.quick else 3_000
    at_margin = worse_by(CLUSTERED, MARGIN)
    by_row = partial(interval, by_row=True)
    found = {
        "coverage": {
            "roc_auc": {
                str(n): coverage(INDEPENDENT, "roc_auc", repeats, judged=by_delong, size=(n, 1))
                for n in ALONE
            },
            "log_loss": {
                str(n): coverage(INDEPENDENT, "log_loss", repeats, judged=by_row, size=(n, 1))
                for n in ALONE
            },
        },
        "clustered_coverage": {
            m: {
                "by_day": coverage(CLUSTERED, m, repeats, judged=interval),
                "by_row": coverage(CLUSTERED, m, repeats, judged=by_row),
            }
            for m in ("roc_auc", "log_loss")
        },
        "false_accept": verdicts(CLUSTERED, at_margin, repeats, interval),
        "false_accept_of_percentiles": verdicts(CLUSTERED, at_margin, repeats, percentiles),
        "false_reject": verdicts(CLUSTERED, 1.0, repeats, interval),
        "bootstrap_seconds": cost(5 if asked.quick else 20),
        "repeats": repeats,
    }
    if not asked.json:
        for name, value in found.items():
            print(f"{name:20} {json.dumps(value)}", file=sys.stderr)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
