"""How often the canary's judge is wrong about a good version, and how fast it is about a bad one.

Every rule looks after every request of the candidate. The judge's own statistics are computed for
whole runs at once from the functions that the judge uses, and checked against `judge` itself on
some of them. Beside it stand Wald's bound (no test with that error can be faster on average), and
what others do: a z-test that is looked at again and again, Kayenta's Mann-Whitney on windows, and
Argo's fixed limit on windows.

    python benchmarks/canary.py [--quick] [--json]
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu, norm

from mlops_pipeline.delivery import sequential
from mlops_pipeline.delivery.evidence import BLOCK, LiveEvidence, LiveStage, Tally
from mlops_pipeline.delivery.judge import Action, StageEvidence, judge
from mlops_pipeline.delivery.plan import REFUSED, GuardPlan, Phase, RolloutPlan, Stop
from mlops_pipeline.ledger.rollouts import RolloutState

ALPHA = 0.05
BASE = 0.01
SHARE = 0.1
SIGMA = 0.5  # of the logarithm of the latency
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    runs: int
    horizon: int  # requests of the candidate
    checked: int  # runs that are judged by `judge` as well


@dataclass(frozen=True)
class Run:
    """One rollout: outcomes of the candidate, and where among them the stable's fell."""

    mine: Flags  # bad ones of the candidate, in order
    theirs: Flags  # bad ones of the stable, in order
    served: npt.NDArray[np.int64]  # requests of the stable before each of the candidate's


def plan(budget: float, tolerance: float) -> RolloutPlan:
    """Guards as a contract has them: failures, slowness, refusals; alpha split over their tests."""
    guards = (
        GuardPlan("error", budget, tolerance),
        GuardPlan("slow", budget, tolerance, over_ms=250),
        GuardPlan(REFUSED, None, tolerance),
    )
    return RolloutPlan(
        "m", 0, 0.2, (1000, 10_000), 100, ALPHA, guards, 5, 3600, 0, 2000, False, False
    )


def simulate(
    random: np.random.Generator,
    size: Size,
    candidate: float | npt.NDArray[np.float64],
    stable: float | npt.NDArray[np.float64],
    repeats: int = 1,
) -> Run:
    """Requests arrive one by one and the coin of `SHARE` gives each user to an arm.

    Rates may drift: they are given for each request of the candidate then. With `repeats`, every
    user asks so often in a row and fares the same each time.
    """
    users = size.horizon // repeats
    gaps = random.geometric(SHARE, users) - 1
    before = np.cumsum(gaps)
    mine = random.random(users) < _at(candidate, users)
    others = int(before[-1])
    order = np.searchsorted(before, np.arange(others), side="right").clip(0, users - 1)
    rate = np.broadcast_to(np.asarray(_at(stable, users)), (users,))[order] if others else 0.0
    theirs = random.random(others) < rate
    if repeats > 1:
        return Run(np.repeat(mine, repeats), np.repeat(theirs, repeats), _again(before, repeats))
    return Run(mine, theirs, before)


def _at(rate: float | npt.NDArray[np.float64], users: int) -> float | npt.NDArray[np.float64]:
    return rate if isinstance(rate, float) else rate[:users]


def _again(before: npt.NDArray[np.int64], repeats: int) -> npt.NDArray[np.int64]:
    return np.repeat(before * repeats, repeats)


def first_of(flags: Flags) -> int:
    """How many requests until the first True; 0 where there is none."""
    where = np.flatnonzero(flags)
    return int(where[0]) + 1 if where.size else 0


class Gate:
    """The judge's tests of one guard after every request, for whole runs at once."""

    def __init__(self, budget: float, tolerance: float, horizon: int) -> None:
        self.plan = plan(budget, tolerance)
        self.limit = math.log(self.plan.hypotheses / ALPHA)
        self._tolerance = tolerance
        most = max(64, int(horizon * min(1.0, 8 * budget)))
        bad, n = np.meshgrid(np.arange(most + 1), np.arange(horizon + 1))
        self._above = sequential.log_e_above(np.minimum(bad, n), n, budget)

    def budget(self, run: Run) -> npt.NDArray[np.float64]:
        """`log_e_above_lately` after each request."""
        n = run.mine.size
        bad = np.concatenate([[0], np.cumsum(run.mine)])
        after = np.arange(1, n + 1)
        block = (after - 1) // BLOCK  # of the newest outcome
        total = 1.0 / (block + 2.0)  # what waits for processes that have not begun
        for number in range(int(block[-1]) + 1):
            start = number * BLOCK
            late = after[start:]
            table = self._above.shape[1] - 1
            seen = np.minimum(bad[late] - bad[start], table)
            log_e = self._above[late - start, seen]
            total[start:] += np.exp(np.minimum(log_e, 700)) / ((number + 1) * (number + 2))
        return np.asarray(np.log(total))

    def relative(self, run: Run) -> npt.NDArray[np.float64]:
        """`log_e_worse` after each request of the candidate."""
        theirs = np.concatenate([[0], np.cumsum(run.theirs)])
        stage = sequential.Stage(SHARE, np.cumsum(run.mine), theirs[run.served])
        return sequential.log_e_worse([stage], self._tolerance)

    def until(self, run: Run) -> int:
        """Requests until one of the two tests proves it."""
        return first_of((self.budget(run) >= self.limit) | (self.relative(run) >= self.limit))

    def until_relative(self, run: Run) -> int:
        """The same with the comparison alone: the guard that has no budget."""
        return first_of(self.relative(run) >= self.limit)

    def confirmed_by_judge(self, run: Run, at: int) -> bool:
        """Whether `judge` rolls back at that request, and not at the one before."""
        return self._judged(run, at) and not self._judged(run, at - 1)

    def _judged(self, run: Run, n: int) -> bool:
        mine = run.mine[:n]
        theirs = run.theirs[: run.served[n - 1] if n else 0]
        blocks = tuple(
            Tally(part.size, {"error": int(part.sum())})
            for part in np.split(mine, range(BLOCK, n, BLOCK))
        )
        tally = Tally(n, {"error": int(mine.sum())})
        other = Tally(theirs.size, {"error": int(theirs.sum())})
        stage = LiveStage(round(SHARE * 10_000), tally, other)
        live = LiveEvidence(tally, blocks, (stage,), {stage.weight: n}, n)
        stop = Stop(Phase.STEP, RolloutState.STEPPING, 0, stage.weight)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        found = judge(self.plan, StageEvidence(stop, now, True, live=live), now=now)
        return found.action is Action.ROLL_BACK


def peeked_z(run: Run) -> int:
    """A one-sided z-test at 5 % against the base rate, looked at after every request from 30 on."""
    n = np.arange(1, run.mine.size + 1)
    rate = np.cumsum(run.mine) / n
    z = (rate - BASE) / np.sqrt(BASE * (1 - BASE) / n)
    return first_of((z > norm.ppf(1 - ALPHA)) & (n >= 30))


def kayenta_like(run: Run, point: int = 50, least: int = 10) -> int:
    """Mann-Whitney at 98 % on rates of `point` requests of either arm, in growing windows.

    High when the one-sided p-value is below 1 % and the mean is more than a quarter above.
    """
    points = run.mine.size // point
    mine = run.mine[: points * point].reshape(points, point).mean(axis=1)
    theirs = run.theirs[: points * point].reshape(points, point).mean(axis=1)
    for seen in range(least, points + 1):
        a, b = mine[:seen], theirs[:seen]
        if a.mean() > 1.25 * b.mean() and mannwhitneyu(a, b, alternative="greater").pvalue < 0.01:
            return seen * point
    return 0


def argo_like(run: Run, window: int = 100, limit: float = 2 * BASE, failures: int = 3) -> int:
    """Rates of `window` requests above twice the base; out at the `failures`-th such window."""
    windows = run.mine.size // window
    rates = run.mine[: windows * window].reshape(windows, window).mean(axis=1)
    where = np.flatnonzero(rates > limit)
    return int(where[failures - 1] + 1) * window if where.size >= failures else 0


def wald(rate: float, budget: float, alpha: float) -> float:
    """Requests that no test of that error can do without on average (Wald 1945)."""
    information = rate * math.log(rate / budget) + (1 - rate) * math.log((1 - rate) / (1 - budget))
    return math.log(1 / alpha) / information


def slower(factor: float) -> float:
    """Share of lognormal latencies above the champion's 99th percentile, `factor` times slower."""
    return float(1 - norm.cdf(norm.ppf(1 - BASE) - math.log(factor) / SIGMA))


def false_rollbacks(size: Size, seed: int) -> dict[str, float]:
    """Equal versions at exactly the budget and the tolerance, the worst case of the hypothesis."""
    drift = np.interp(
        np.arange(size.horizon), [0, size.horizon / 3, size.horizon], [0.01, 0.03, 0.02]
    )
    steady = Gate(BASE, 1.0, size.horizon)
    drifting = Gate(0.03, 1.0, size.horizon)
    found: dict[str, int] = {}
    for number in range(size.runs):
        random = np.random.default_rng([seed, number])
        error, slow, refused = (simulate(random, size, BASE, BASE) for _ in range(3))
        hit = steady.until(error) or steady.until(slow) or steady.until_relative(refused)
        _count(found, "aa_false_rollback", hit)
        _count(found, "z", peeked_z(error))
        _count(found, "argo", argo_like(error))
        _count(found, "kayenta", kayenta_like(error))
        users = simulate(random, size, BASE, BASE, repeats=10)
        once = Run(users.mine[::10], users.theirs[::10], users.served[::10] // 10)
        _count(found, "aa_repeating_users", steady.until(once))
        _count(found, "counted_every_request", steady.until(users))
        moving = simulate(random, size, drift, drift)
        _count(found, "aa_drifting_baseline", drifting.until(moving))
        _count(found, "z_drifting", peeked_z(moving))
    return {name: count / size.runs for name, count in sorted(found.items())}


def _count(found: dict[str, int], name: str, hit: int) -> None:
    found[name] = found.get(name, 0) + bool(hit)


def detections(size: Size, seed: int) -> dict[str, dict[str, float | None]]:
    """Requests of the candidate until each rule rolls back, by what is wrong with it."""
    wrong = {f"errors 1 -> {100 * rate:g} %": rate for rate in (0.02, 0.05, 0.1, 0.5)}
    wrong |= {f"latency x{factor:g}": slower(factor) for factor in (1.25, 1.5, 2.0)}
    gate = Gate(BASE, 1.25, size.horizon)
    rules = {"gate": gate.until, "z": peeked_z, "kayenta": kayenta_like, "argo": argo_like}
    table: dict[str, dict[str, float | None]] = {}
    for index, (name, rate) in enumerate(wrong.items()):
        taken: dict[str, list[int]] = {rule: [] for rule in rules}
        for number in range(size.runs):
            random = np.random.default_rng([seed, index, number])
            run = simulate(random, size, rate, BASE)
            for rule, until in rules.items():
                taken[rule].append(until(run))
            if number < size.checked and taken["gate"][-1] > 1:
                assert gate.confirmed_by_judge(run, taken["gate"][-1]), (name, number)
        table[name] = {
            "rate": round(rate, 4),
            "wald": round(wald(rate, BASE, ALPHA / gate.plan.hypotheses), 1),
            **{f"{rule}_{what}": value for rule, counts in taken.items()
               for what, value in _summary(counts).items()},
        }  # fmt: skip
    return table


def _summary(counts: list[int]) -> dict[str, float | None]:
    """Median and 90th percentile over all runs (None: so many never ended), and the share found."""
    taken = np.array([count if count else np.inf for count in counts])
    middle, most = np.quantile(taken, [0.5, 0.9], method="higher")
    return {
        "median": None if np.isinf(middle) else float(middle),
        "p90": None if np.isinf(most) else float(most),
        "found": float(np.isfinite(taken).mean()),
    }


def main() -> None:
    """Simulate, print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="the JSON object only")
    parser.add_argument("--seed", type=int, default=7)
    said = parser.parse_args()
    size = Size(120, 3000, 10) if said.quick else Size(600, 5000, 40)
    began = time.perf_counter()
    errors = false_rollbacks(size, said.seed)
    table = detections(size, said.seed + 1)
    worst = table["errors 1 -> 5 %"]
    gate = worst["gate_median"]
    ratio = None if gate is None or worst["wald"] is None else round(gate / worst["wald"], 2)
    report = {
        **{name: errors[name] for name in
           ("aa_false_rollback", "aa_repeating_users", "aa_drifting_baseline")},
        "median_vs_wald_5pct": ratio,
        "requests_to_rollback": table,
        "false_rollbacks_of_others": {
            name: value for name, value in errors.items() if not name.startswith("aa_")
        },
        "alpha": ALPHA,
        "runs": size.runs,
        "horizon": size.horizon,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    if not said.json:
        for name, value in errors.items():
            print(f"{name:<24} {100 * value:5.1f} %")
        for name, row in table.items():
            print(f"{name:<20}", row)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
