"""Drift: how often it cries wolf, how soon it sees what was planted, and what it costs.

    python benchmarks/drift.py [--quick] [--json]

* False alarms: windows drawn from the reference itself (self-splits), 8 columns and the
  predictions, at several window sizes; ours against Evidently's defaults (DataDriftPreset's
  per-column choice, any column drifted) on the same frames.
* Windows until it fires, for shifts planted from window 1 on, with 2 of 3 windows asked for: mean,
  variance, category mix, missing share, and a concept shift (which moves no column: only the
  performance bound sees it).
* Seconds for one look at 300,000 rows against 300,000, 25 columns: ours as the pipeline does it (a
  seeded sample of 20,000 reference rows, explicit methods) and on all rows, against the defaults.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.metrics import roc_auc
from mlops_pipeline.monitoring.drift import judge_drift
from mlops_pipeline.monitoring.records import DriftOutcome

NUMBERS, CATEGORIES = 5, 3
NEVER = 99


def contract(numbers: int, categories: int) -> ModelContract:
    """A model over so many columns, all watched by PSI or Jensen-Shannon."""
    names = [f"n{i}" for i in range(numbers)]
    words = [f"c{i}" for i in range(categories)]
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer"},
        {"name": "at", "type": "time"},
        *({"name": n, "type": "number", "nullable": True} for n in names),
        *({"name": c, "type": "category", "categories": list("abcdef")} for c in words),
        {"name": "y", "type": "number", "nullable": True, "available": "outcome"},
    ]
    features = [
        *({"kind": "number", "name": n, "inputs": [n]} for n in names),
        *({"kind": "category", "name": c, "inputs": [c]} for c in words),
    ]
    drift = [
        *({"column": n, "method": "psi", "threshold": 0.1} for n in names),
        *({"column": c, "method": "jensenshannon", "threshold": 0.1} for c in words),
    ]
    return ModelContract.model_validate(
        {
            "contract": 1,
            "name": "bench",
            "title": "?",
            "description": "?",
            "owner": "team:bench",
            "task": "binary",
            "entity": ["id"],
            "event_time": "at",
            "source": {"name": "rows", "function": "json:loads", "first": "2024-01-01"},
            "columns": columns,
            "target": {
                "name": "yes", "column": "y", "above": 0, "label_delay_hours": 1,
                "unlabelled": "none",
            },
            "features": {"function": "json:dumps", "columns": features},
            "splits": {"train_from": "2024-01-01"},
            "candidates": [{"name": "trees", "trainer": "lightgbm"}],
            "acceptance": {"criteria": [{"metric": "roc_auc", "at_least": 0.6}]},
            "rollout": {"guards": [{"name": "error", "budget": 0.02}]},
            "monitoring": {"min_rows": 100, "drift": drift},
        }
    )  # fmt: skip


def rows(
    size: int, seed: int, numbers: int = NUMBERS, categories: int = CATEGORIES
) -> pd.DataFrame:
    """Normal and lognormal numbers, uneven categories."""
    chance = np.random.default_rng(seed)
    frame = {
        f"n{i}": chance.normal(size=size) if i % 2 else chance.lognormal(size=size)
        for i in range(numbers)
    }
    mix = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    for i in range(categories):
        frame[f"c{i}"] = chance.choice(np.array(list("abcdef"), dtype=object), size, p=mix)
    return pd.DataFrame(frame)


def scores_of(frame: pd.DataFrame) -> np.ndarray:
    """A model that reads n1 and c0."""
    return 1 / (1 + np.exp(-(1.2 * frame["n1"].fillna(0.0) + (frame["c0"] == "a")).to_numpy()))


def default_alarm(reference: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether Evidently's own choice of method and threshold calls any column drifted."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    kinds = DataDefinition(
        numerical_columns=[c for c in reference if c.startswith("n")],
        categorical_columns=[c for c in reference if c.startswith("c")],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(current, kinds), Dataset.from_pandas(reference, kinds)
        )
        told = found.dict()["metrics"]
    counts = [m["value"]["count"] for m in told if isinstance(m["value"], dict)]
    return bool(counts and counts[0] > 0)


def false_alarms(repeats: int, size: int) -> dict[str, float]:
    """Shares of unchanged windows in which anything was called drifted."""
    words, ours, theirs = contract(NUMBERS, CATEGORIES), 0, 0
    reference = rows(20_000, 0)
    for seed in range(1, repeats + 1):
        current = rows(size, seed)
        report, _ = judge_drift(
            words, reference, current,
            reference_scores=scores_of(reference), current_scores=scores_of(current),
        )  # fmt: skip
        fired = bool(report.drifted) or bool(report.prediction and report.prediction.drifted)
        ours += fired
        theirs += default_alarm(reference.sample(size, random_state=seed), current)
    return {"ours": ours / repeats, "evidently_default": theirs / repeats}


def mean_shift(frame: pd.DataFrame, chance: np.random.Generator) -> pd.DataFrame:
    return frame.assign(n1=frame["n1"] + 0.5)


def variance_shift(frame: pd.DataFrame, chance: np.random.Generator) -> pd.DataFrame:
    return frame.assign(n1=frame["n1"] * 1.6)


def mix_shift(frame: pd.DataFrame, chance: np.random.Generator) -> pd.DataFrame:
    moved = frame["c0"].where(chance.random(len(frame)) > 0.3, "f")
    return frame.assign(c0=moved)


def null_shift(frame: pd.DataFrame, chance: np.random.Generator) -> pd.DataFrame:
    return frame.assign(n1=frame["n1"].where(chance.random(len(frame)) > 0.3))


SHIFTS: dict[str, Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]] = {
    "mean_half_sd": mean_shift,
    "variance_x2.5": variance_shift,
    "category_mix_30%": mix_shift,
    "missing_30%": null_shift,
}


def detection(repeats: int, size: int, longest: int = 4) -> dict[str, dict[str, float]]:
    """Windows until a shift fires (2 of 3; an outage at once), and the share that ever fires."""
    words, reference = contract(NUMBERS, CATEGORIES), rows(20_000, 0)
    found: dict[str, dict[str, float]] = {}
    for name, plant in SHIFTS.items():
        delays = []
        for repeat in range(repeats):
            bad: list[bool] = []
            delay = NEVER
            for window in range(1, longest + 1):
                seed = 10_000 + 100 * repeat + window
                current = plant(rows(size, seed), np.random.default_rng(seed))
                report, _ = judge_drift(
                    words, reference, current,
                    reference_scores=scores_of(reference), current_scores=scores_of(current),
                )  # fmt: skip
                bad.append(report.outcome is DriftOutcome.DRIFTED)
                outage = report.outcome is DriftOutcome.OUTAGE
                if outage or (bad[-1] and sum(bad[-3:]) >= 2):
                    delay = window
                    break
            delays.append(delay)
        seen = [d for d in delays if d != NEVER]
        found[name] = {
            "windows": float(np.mean(seen)) if seen else float("nan"),
            "power": len(seen) / repeats,
        }
    found["concept"] = concept(repeats, size)
    return found


def concept(repeats: int, size: int) -> dict[str, float]:
    """A concept shift leaves every column where it was; the live AUC's interval sees it."""
    words, reference = contract(NUMBERS, CATEGORIES), rows(20_000, 0)
    drift, delays = 0, []
    for repeat in range(repeats):
        bad: list[bool] = []
        for window in range(1, 5):
            seed = 50_000 + 100 * repeat + window
            chance = np.random.default_rng(seed)
            current = rows(size, seed)
            told = scores_of(current)
            labels = (chance.random(size) < 0.5 + 0.3 * (told - told.mean())) * 1.0
            error = 0.5 / np.sqrt(min(labels.sum(), size - labels.sum()) * 3)  # Hanley & McNeil
            bad.append(roc_auc(labels, told) + 1.645 * error < 0.77 - 0.05)
            if window == 1:
                report, _ = judge_drift(words, reference, current)
                drift += report.outcome is DriftOutcome.DRIFTED
            if bad[-1] and sum(bad[-3:]) >= 2:
                delays.append(window)
                break
    return {
        "windows": float(np.mean(delays)) if delays else float("nan"),
        "power": len(delays) / repeats,
        "called_drift": drift / repeats,
    }


def timing(size: int) -> dict[str, float]:
    """Seconds for one look at 25 columns."""
    words = contract(19, 6)
    reference, current = rows(size, 1, 19, 6), rows(size, 2, 19, 6)
    judge_drift(words, reference.head(1000), current.head(1000))  # imports
    seconds: dict[str, float] = {}
    for name, before in (("ours", reference.sample(min(size, 20_000), random_state=0)),
                         ("ours_all_rows", reference)):  # fmt: skip
        start = time.perf_counter()
        judge_drift(words, before, current)
        seconds[name] = time.perf_counter() - start
    start = time.perf_counter()
    default_alarm(reference, current)
    seconds["evidently_default"] = time.perf_counter() - start
    return {name: round(value, 2) for name, value in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    repeats, size = (5, 50_000) if words.quick else (30, 300_000)

    def say(text: str) -> None:
        if not words.json:
            print(text, flush=True)

    alarms = {}
    for n in (1000,) if words.quick else (500, 2000):
        one = alarms[str(n)] = false_alarms(repeats, n)
        shares = f"ours {one['ours']:.1%}, default {one['evidently_default']:.1%}"
        say(f"false alarms, {n} rows: {shares} of {repeats} unchanged windows")
    windows = detection(max(repeats // 3, 2), 1000)
    for name, found in windows.items():
        say(f"{name}: {found['windows']:.1f} windows, power {found['power']:.0%}")
    seconds = timing(size)
    say(f"{size} rows x 25 columns: {seconds}")
    told = {
        "false_alarm_rate": alarms,
        "detection_windows": windows,
        "seconds_vs_evidently_default": seconds,
        "rows": size,
        "repeats": repeats,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
