"""What monitors look at: features as a person reads them, from a matrix or from request logs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import DerivedFeature, Feature
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord, kept_at


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Live answers, one row for each prediction id, in the order in which they were given.

    `answers` has the columns id, at (arrival, UTC), version, unit, event_time (the entity's local
    time), score, classes (their probabilities, or None), latency_ms and rate (the share of such
    answers that leave a record); `features` has the same rows, with a column for each feature.
    """

    answers: pd.DataFrame
    features: pd.DataFrame

    def __len__(self) -> int:
        return len(self.answers)

    def of(self, version: str) -> "Served":
        """What that version answered."""
        return self._only((self.answers["version"] == version).to_numpy(dtype=bool))

    def within(self, window: Window) -> "Served":
        """Rows whose event time lies in the window."""
        return self._only(window.mask(self.answers["event_time"]))

    @property
    def answered(self) -> float:
        """How many answers the rows stand for: each for one over the rate at which it was kept."""
        return float((1 / self.answers["rate"]).sum())

    def evenly(self) -> "Served":
        """The rows that the lowest of the window's rates would have kept.

        Where the rate was changed within a window, its parts have unequal chances; sampling by a
        hash of the id makes them equal again, without weights, which no drift statistic takes.
        """
        lowest = float(self.answers["rate"].min()) if len(self) else 1.0
        return self._only(
            np.array([kept_at(lowest, id) for id in self.answers["id"]], dtype=bool)
            if (self.answers["rate"] > lowest).any()
            else np.ones(len(self), dtype=bool)
        )

    def _only(self, rows: np.ndarray) -> "Served":
        return Served(
            self.answers[rows].reset_index(drop=True), self.features[rows].reset_index(drop=True)
        )


def served(contract: ModelContract, records: Iterable[RequestRecord]) -> Served:
    """What users were answered, from the records of a request log.

    What was refused, failed or was a shadow's copy is no answer; of a request that was sent twice,
    the first answer counts. A feature that the log leaves out, being personal, is missing.
    """
    answers: dict[str, RequestRecord] = {}
    for record in sorted(records, key=lambda record: (record.at, record.id)):
        if record.arm is Arm.LIVE and record.outcome is Outcome.OK:
            answers.setdefault(record.id, record)
    rows = list(answers.values())
    features = {
        feature.name: _readable(
            contract,
            feature,
            np.array([row.features.get(feature.name) for row in rows], dtype=np.float64),
        )
        for feature in contract.features.columns
    }
    return Served(_answers(rows), pd.DataFrame(features))


def feature_frame(contract: ModelContract, matrix: FeatureMatrix) -> pd.DataFrame:
    """One column for each feature: numbers as float64, categories as text; missing is NaN or None.

    Numpy's own types throughout, so that no drift engine has to guess.
    """
    return pd.DataFrame(
        {
            feature.name: _readable(contract, feature, matrix.column(feature.name))
            for feature in contract.features.columns
        }
    )


def _answers(rows: list[RequestRecord]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": np.array([row.id for row in rows], dtype=object),
            "at": pd.to_datetime([row.at for row in rows], unit="s", utc=True),
            "version": np.array([row.version for row in rows], dtype=object),
            "unit": np.array([row.unit for row in rows], dtype=object),
            "event_time": np.array([row.event_time for row in rows], dtype="datetime64[ns]"),
            "score": np.array([row.score for row in rows], dtype=np.float64),
            "classes": pd.Series([row.classes or None for row in rows], dtype=object),
            "latency_ms": np.array([row.latency_ms for row in rows], dtype=np.float64),
            "rate": np.array([row.rate for row in rows], dtype=np.float64),
        }
    )


def _readable(contract: ModelContract, feature: Feature, values: np.ndarray) -> np.ndarray:
    """Codes as the contract's texts; numbers as they are."""
    if not isinstance(feature, DerivedFeature) or feature.kind == "number":
        return values
    categories = contract.column(feature.name).categories
    names = np.array([*categories, None], dtype=object)
    places = np.where(np.isnan(values), len(categories), values).astype(np.int64)
    readable: np.ndarray = names[places]
    return readable
