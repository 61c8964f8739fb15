"""How many ways of spoiling a month does the validation suite notice, and how often does it cry
wolf? Real months, the contract's own checks, bounds that were set on January to June.

    python benchmarks/corruptions.py [--quick] [--json] [--calibrate] [--markdown FILE]

Each corruption spoils months of July to December at three severities, and is detected if ingestion
refuses the rows with a named error, or a check fails that did not fail on the clean month. Clean
months of the whole year, each against the months before it, give the false alarms.
"""

import argparse
import json
import logging
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _spoilt import AT, Corruption
from _spoilt_distribution import DISTRIBUTIONAL
from _spoilt_structure import STRUCTURAL

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.compared_checks import bound_of
from mlops_pipeline.data.distribution import distance
from mlops_pipeline.data.quality import CheckOutcome, run_checks
from mlops_pipeline.data.source_columns import kinds_of
from mlops_pipeline.data.sources import conform, read_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError
from mlops_pipeline.settings import PACKAGE_MODELS

CORRUPTIONS = (*STRUCTURAL.corruptions, *DISTRIBUTIONAL.corruptions)
LEVELS = ("low", "middle", "high")
SET_ON = range(2, 7)
REPORTED_ON = range(7, 13)
MONTHS_EACH = 2  # of July to December, by turns, for each corruption
TRUSTED_ROWS = 60_000  # of the months before: as informative as all of them, and faster


@dataclass(frozen=True, slots=True)
class Case:
    """One corruption of one month at one severity."""

    name: str
    kind: str
    level: str
    month: int
    by: str  # the check that noticed it, "refused", or "" where nothing did
    blocked: bool


class Year:
    """The clean months, what was trusted before each, and what fails on them as they are."""

    def __init__(self, contract: ModelContract) -> None:
        self.contract = contract
        rows = read_source(contract, Window.of_months("2013-01", "2013-12"))
        number = rows[AT].dt.month
        self.month = {k: rows[number == k].reset_index(drop=True) for k in range(1, 13)}
        self.before = {k: _sample(rows[number < k], rows[number == k - 1]) for k in range(2, 13)}
        self.clean = {k: self.check(k, frame, kinds_of(frame)) for k, frame in self.month.items()}

    def check(self, month: int, frame: pd.DataFrame, columns: dict[str, str]) -> list[CheckOutcome]:
        """What fails on these rows in place of that month's; `columns` are the source's."""
        noted = {f"2013-{k:02}": kinds_of(self.month[k]) for k in range(1, month)}
        outcomes = run_checks(
            self.contract,
            frame,
            reference=self.before.get(month),
            usual_rows=[len(self.month[k]) for k in range(1, month)],
            as_of=Window.of_month(f"2013-{month:02}").end,
            source_columns={**noted, f"2013-{month:02}": columns},
        )
        return [outcome for outcome in outcomes if not outcome.passed]

    def case(self, corruption: Corruption, level: int, month: int) -> Case:
        """The month, spoilt, through ingestion and checks."""
        chance = np.random.default_rng([month, level, len(corruption.name)])
        made = corruption.spoil(
            self.month[month].copy(), self.month[month - 1], chance, corruption.levels[level]
        )
        by, blocked = "", False
        try:
            window = Window.of_month(f"2013-{month:02}")
            if made.empty:
                raise SourceError("no row")
            failed = self.check(month, conform(self.contract, made, window), kinds_of(made))
        except SourceError:
            by, blocked = "refused", True
        else:
            known = {mark for outcome in self.clean[month] for mark in marks(outcome)}
            new = [o for o in failed if set(marks(o)) - known]
            by = new[0].name if new else ""
            blocked = any(o.severity is Severity.ERROR for o in new)
        return Case(corruption.name, corruption.kind, LEVELS[level], month, by, blocked)


def marks(outcome: CheckOutcome) -> list[tuple[str, str]]:
    """What failed, apart from its numbers: the check and the column or rule."""
    texts = list(outcome.aggregated) or [outcome.summary]
    return [(outcome.name, text.partition(":")[0]) for text in texts]


def _sample(before: pd.DataFrame, newest: pd.DataFrame) -> pd.DataFrame:
    """The newest month whole, and of the older ones enough."""
    older = before.drop(newest.index)
    picked = older.sample(min(len(older), TRUSTED_ROWS), random_state=1)
    return pd.concat([picked, newest]).sort_values(AT, kind="stable").reset_index(drop=True)


def calibrated(year: Year) -> list[dict[str, object]]:
    """1.3 times the most that each column moved between clean months of January to June."""
    found = []
    for column in year.contract.columns:
        bound = bound_of(year.contract, column)
        named = column.available.value == "request"
        if bound.method == "none" or not (named or column.name == AT):
            continue
        far = 0.0
        for k in SET_ON:
            trusted = year.month[k - 1] if bound.against == "newest" else year.before[k]
            before, now = trusted[column.name], year.month[k][column.name]
            if column.name == AT:
                bound = column.distribution or bound
                before, now = before.dt.hour, now.dt.hour
            elif before.dtype.kind == "M":
                continue
            far = max(far, distance(bound.method, before, now))
        wanted = max(0.01, 1.3 * far)
        found.append(
            {
                "column": column.name,
                "method": bound.method,
                "against": bound.against,
                "moved": round(far, 4),
                "wanted": round(wanted, 4),
                "contract": bound.threshold,
            }
        )
    return found


def measure(year: Year, quick: bool) -> list[Case]:
    """Every corruption at every severity; `quick` takes one month each and the middle severity."""
    months = list(REPORTED_ON)
    cases = []
    for index, corruption in enumerate(CORRUPTIONS):
        each = 1 if quick else MONTHS_EACH
        chosen = [months[(index * each + turn) % len(months)] for turn in range(each)]
        for level in (1,) if quick else range(3):
            cases += [year.case(corruption, level, month) for month in chosen]
    return cases


def rate(cases: list[Case], kind: str, level: str = "") -> float | None:
    """Share of such cases that were noticed; None where none was tried."""
    of = [c for c in cases if c.kind == kind and level in ("", c.level)]
    return round(sum(bool(c.by) for c in of) / len(of), 4) if of else None


def summary(year: Year, cases: list[Case]) -> dict[str, object]:
    """The goals' figures; detection is at the middle severity, of structural kinds at all."""
    clean = {k: Counter(o.severity.value for o in year.clean[k]) for k in year.clean}
    return {
        "cases": len(cases),
        "corruptions": len(CORRUPTIONS),
        "structural_detection": rate(cases, "structural"),
        "distributional_detection": rate(cases, "distributional", "middle"),
        "distributional_all_severities": {
            level: rate(cases, "distributional", level) for level in LEVELS
        },
        "false_errors": sum(count["error"] for count in clean.values()),
        "false_warnings": sum(count["warn"] for count in clean.values()),
        "clean_months": len(clean),
        "missed": sorted({f"{c.name} ({c.level})" for c in cases if not c.by}),
    }


def table(cases: list[Case]) -> list[str]:
    """One line a corruption: noticed of tried at each severity, and by which check."""
    lines = [
        "| corruption | kind | low | middle | high | noticed by |",
        "|---|---|---|---|---|---|",
    ]
    by_name = defaultdict(list)
    for case in cases:
        by_name[case.name].append(case)
    for name, of in by_name.items():
        cells = []
        for level in LEVELS:
            at = [c for c in of if c.level == level]
            cells.append(f"{sum(bool(c.by) for c in at)}/{len(at)}" if at else "")
        who = ", ".join(name for name, _ in Counter(c.by for c in of if c.by).most_common(3))
        lines.append(f"| {name.replace('_', ' ')} | {of[0].kind} | {' | '.join(cells)} | {who} |")
    return lines


def main() -> None:
    """Measure, and say it as a table and as JSON."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--quick", action="store_true", help="one month, middle severity")
    words.add_argument("--json", action="store_true", help="one JSON object as the last line")
    words.add_argument("--calibrate", action="store_true", help="only the bounds of Jan-Jun")
    words.add_argument("--markdown", type=Path, help="write the table to this file too")
    chosen = words.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    year = Year(load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml"))
    if chosen.calibrate:
        print(pd.DataFrame(calibrated(year)).to_string(index=False))
        return
    cases = measure(year, chosen.quick)
    lines, found = table(cases), summary(year, cases)
    found["seconds"] = round(time.perf_counter() - began, 1)
    print("\n".join(lines))
    if chosen.markdown:
        chosen.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for key, value in found.items():
        print(f"{key}: {value}")
    if chosen.json:
        print(json.dumps(found, allow_nan=False))


if __name__ == "__main__":
    main()
