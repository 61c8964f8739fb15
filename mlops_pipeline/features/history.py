"""Label rates over the days before: counted by key and day, looked up by any later row.

Counts are whole numbers and the rate is one formula for one row and for many, so that an online
table and the offline matrix hold the same bits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import HistoryFeature
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days, yes_or_no
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline.features.counts import DailyCounts, key_codes
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot

OVERALL: tuple[str, ...] = ()  # the key of no parts: every row has it
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class HistoryCounts:
    """Labelled rows and positives by key and day, for each set of keys that a feature reads."""

    by_keys: dict[tuple[str, ...], DailyCounts]

    @property
    def days(self) -> tuple[int, int] | None:
        """The first and the last day that hold a labelled row; None where no row has a label."""
        day = self.by_keys[OVERALL].day
        return (int(day.min()), int(day.max())) if len(day) else None


def count_history(contract: ModelContract, frame: pd.DataFrame) -> HistoryCounts:
    """The counts of the frame's labelled rows; other rows add nothing."""
    return _counted(contract, frame, values_of(contract, frame))


def add_counts(parts: Iterable[HistoryCounts]) -> HistoryCounts:
    """The counts of several frames together, in any order.

    Raises:
        ValueError: there is none, or they are of different definitions.
    """
    listed = list(parts)
    if not listed:
        raise ValueError("no counts to add")
    if any(part.by_keys.keys() != listed[0].by_keys.keys() for part in listed):
        raise ValueError("counts of different feature definitions cannot be added")
    return HistoryCounts(
        {
            keys: DailyCounts.added([part.by_keys[keys] for part in listed])
            for keys in listed[0].by_keys
        }
    )


def history_columns(
    contract: ModelContract,
    values: Mapping[str, np.ndarray],
    day: np.ndarray,
    history: HistoryCounts,
) -> dict[str, np.ndarray]:
    """Each history feature of every row, float64 of shape (rows,).

    `values` are the row's (`arrays.values_of`), `day` its day number; the feature counts only days
    whose labels are all known when `day` begins. NaN where they hold no labelled row at all.
    """
    columns = {}
    coded: dict[tuple[str, ...], np.ndarray] = {}
    for feature in contract.history:
        counts = history.by_keys[feature.keys]
        if feature.keys not in coded:
            coded[feature.keys] = counts.find(*key_codes(values, feature.keys, len(day)))
        columns[feature.name] = row_rates(contract, feature, history, coded[feature.keys], day)
    return columns


def row_rates(
    contract: ModelContract,
    feature: HistoryFeature,
    history: HistoryCounts,
    keys: np.ndarray,
    day: np.ndarray,
) -> np.ndarray:
    """The feature's rate for each row's key and day: float64 of shape (rows,).

    `keys` are codes of the counts of the feature's keys, `counts.MISSING` for one without any.
    """
    last = day - contract.target.delay_days
    every_row = np.zeros(len(day), dtype=np.int64)
    overall = history.by_keys[OVERALL].over_days(every_row, last - feature.days, last)
    own = history.by_keys[feature.keys].over_days(keys, last - feature.days, last)
    return _rates(feature, own, overall)


def rate_grid(
    contract: ModelContract,
    feature: HistoryFeature,
    history: HistoryCounts,
    keys: np.ndarray,
    days: np.ndarray,
) -> np.ndarray:
    """The feature's rate for each of `keys` on each of `days`: float64 of shape (keys, days).

    `keys` are codes of the counts of the feature's keys, `counts.MISSING` for one without any.
    """
    last = days - contract.target.delay_days
    first = last - feature.days
    every = np.zeros(len(days), dtype=np.int64)
    overall = history.by_keys[OVERALL].over_days(every, first, last)
    own = history.by_keys[feature.keys].over_days(
        np.repeat(keys, len(days)), np.tile(first, len(keys)), np.tile(last, len(keys))
    )
    shape = (len(keys), len(days))
    return _rates(feature, (own[0].reshape(shape), own[1].reshape(shape)), overall)


def rates_as_of(
    contract: ModelContract, history: HistoryCounts, day: date
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What rows of that day look up: rates by feature and key, and each feature's overall rate.

    A key without a labelled row in the feature's days has no entry: it has the overall rate.
    """
    number = (day - EPOCH).days - contract.target.delay_days
    tables: dict[str, dict[str, float]] = {}
    defaults: dict[str, float] = {}
    for feature in contract.history:
        counts = history.by_keys[feature.keys]
        first = np.array([number - feature.days])
        last = np.array([number])
        overall = history.by_keys[OVERALL].over_days(np.array([0]), first, last)
        own = counts.over_days(np.arange(len(counts.texts)), first, last)
        rates = _rates(feature, own, overall)
        seen = np.flatnonzero(own[0])
        tables[feature.name] = {counts.texts[key]: float(rates[key]) for key in seen}
        if overall[0][0]:
            defaults[feature.name] = float(overall[1][0] / overall[0][0])
    return tables, defaults


def feature_snapshot(
    contract: ModelContract, history: HistoryCounts, as_of: date
) -> FeatureSnapshot:
    """What servers look up on the day `as_of`."""
    tables, defaults = rates_as_of(contract, history, as_of)
    return FeatureSnapshot(
        model=contract.name,
        definition=definition_digest(contract),
        as_of=as_of,
        tables=tables,
        defaults=defaults,
    )


def _counted(
    contract: ModelContract, frame: pd.DataFrame, values: Mapping[str, np.ndarray]
) -> HistoryCounts:
    labels = yes_or_no(contract, frame)
    labelled = ~np.isnan(labels)
    day = days(contract, frame)[labelled]
    positive = labels[labelled] == 1
    by_keys = {}
    for keys in (OVERALL, *(feature.keys for feature in contract.history)):
        if keys not in by_keys:
            texts, codes = key_codes(values, keys, len(frame))
            by_keys[keys] = DailyCounts.of_rows(texts, codes[labelled], day, positive)
    return HistoryCounts(by_keys)


def _rates(
    feature: HistoryFeature,
    own: tuple[np.ndarray, np.ndarray],
    overall: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """(positives + weight * overall rate) / (rows + weight); the overall rate where rows are 0."""
    rows, positives = own
    weight = feature.prior_weight
    with np.errstate(invalid="ignore"):  # 0 / 0: no labelled row at all, or no row of the key
        rate = overall[1] / overall[0]
        smoothed = (positives + weight * rate) / (rows + weight)
    rates: np.ndarray = np.where(rows > 0, smoothed, rate)
    return rates
