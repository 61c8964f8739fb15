"""How often the gate errs, how wide its intervals should be and are, and what they cost.

    python benchmarks/gates.py [--quick] [--json]

Rows are simulated with a known truth, so that coverage and errors can be counted: days share a
shift in the outcome and in each model's score, as flights share weather. The same functions judge
as in production.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from mlops_pipeline.evaluation.estimates import estimate
from mlops_pipeline.evaluation.intervals import draw_groups, draw_metric, gain
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.outcomes import Outcome, against_champion
from mlops_pipeline.evaluation.records import Estimate

CONFIDENCE = 0.9
MARGIN = 0.01
SPREAD = 0.5  # of a model's own error in log-odds
TRUTH_ROWS = 400_000
SIZES = ((1_000, 20), (5_000, 30), (25_000, 60))  # rows, days


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
    odds = chance.normal(size=rows) * 1.3 - 1.2 + world.day * chance.normal(size=days)[day]

    def score(spread: float) -> np.ndarray:
        own, common = chance.normal(size=rows), chance.normal(size=days)[day]
        return np.asarray(expit(odds + spread * own + world.shared * spread * common))

    candidate, champion = score(SPREAD * worse), score(SPREAD)
    return Rows((chance.random(rows) < expit(odds)).astype(float), day, candidate, champion)


def truth(world: World, metric: str, worse: float) -> float:
    """The true gain, from so many rows of so many days that its error does not count."""
    chance = np.random.default_rng(99)
    found = [simulate(chance, world, TRUTH_ROWS, TRUTH_ROWS // 100, worse) for _ in range(4)]
    return float(np.mean([_gain(metric, rows) for rows in found]))


def worse_by(world: World, loss: float) -> float:
    """How much larger the candidate's error must be for it to lose `loss` of log-loss."""
    low, high = 1.0, 4.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if -truth(world, "log_loss", middle) < loss else (low, middle)
    return (low + high) / 2


def interval(metric: str, rows: Rows, *, by_row: bool = False, resamples: int = 500) -> Estimate:
    """The gain with the interval that the gate would see; `by_row` resamples rows instead."""
    groups = np.arange(len(rows.labels)) if by_row else rows.days
    draws = draw_groups(groups, resamples=resamples, seed=1)
    drawn = [
        draw_metric(metric, draws, rows.labels, s, 0.5) for s in (rows.candidate, rows.champion)
    ]
    return estimate(_gain(metric, rows), gain(metric, *drawn), draws, CONFIDENCE)


def coverage(world: World, metric: str, repeats: int, *, by_row: bool = False) -> float:
    """Share of intervals that hold the true gain; asked is `CONFIDENCE`."""
    true = truth(world, metric, 1.0)
    held = 0
    for seed in range(repeats):
        rows = simulate(np.random.default_rng(seed), world, 3_000, 30, 1.0)
        found = interval(metric, rows, by_row=by_row)
        held += bool(found.low is not None and found.low <= true <= (found.high or 0.0))
    return held / repeats


def verdicts(world: World, worse: float, repeats: int) -> dict[str, dict[str, float]]:
    """Share of each outcome at each size, for a candidate that is so much worse."""
    found: dict[str, dict[str, float]] = {}
    for count, days in SIZES:
        outcomes = [
            against_champion(
                interval("log_loss", simulate(np.random.default_rng(s), world, count, days, worse)),
                MARGIN,
            )
            for s in range(repeats)
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
        m: _seconds(lambda m=m: interval(m, rows, resamples=1_000)) for m in ("roc_auc", "log_loss")
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
    parser.add_argument("--quick", action="store_true", help="under a minute, coarser")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    repeats = 150 if asked.quick else 600
    at_margin = worse_by(CLUSTERED, MARGIN)
    found = {
        "coverage": {m: coverage(INDEPENDENT, m, repeats) for m in ("roc_auc", "log_loss")},
        "clustered_coverage": {
            m: {
                "by_day": coverage(CLUSTERED, m, repeats),
                "by_row": coverage(CLUSTERED, m, repeats, by_row=True),
            }
            for m in ("roc_auc", "log_loss")
        },
        "false_accept": verdicts(CLUSTERED, at_margin, repeats),
        "false_reject": verdicts(CLUSTERED, 1.0, repeats),
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
