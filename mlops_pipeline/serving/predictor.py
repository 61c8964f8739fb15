"""The predictor: one immutable version, from request bytes to a score.

History look-ups older than the contract's `features.max_age_days`, counted from the snapshot's day
to the day of the row that asks, are not used: such a request is refused as against the contract,
naming the event time. It is not answered 5xx, because a client chooses the event time: otherwise
one made-up date could pass for a failing server and take a version out of service.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mlops_pipeline.contract.columns import Column, ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import RequestError, ServingError
from mlops_pipeline.features.row import RowFeatures
from mlops_pipeline.registry.answers import score_limits, score_name
from mlops_pipeline.registry.bundle import Bundle
from mlops_pipeline.serving.lookups import Lookups, empty_snapshot
from mlops_pipeline.serving.refusals import AGAINST_CONTRACT, Refusal
from mlops_pipeline.serving.scorers import ClassScorer, Scorer
from mlops_pipeline.serving.wire import RequestReader, Row


class NotReady(ServingError):
    """No feature snapshot of the version's definition was published yet."""


@dataclass(slots=True)
class Prediction:
    """What the version says of one row."""

    score: float  # a probability, of classes the largest, or the number that was asked for
    answer: Any  # whether the score is above the threshold, or the class; of numbers says nothing
    vector: "array[float]"
    as_of: date | None  # the day of the look-ups; None for a model without history
    age_days: int | None
    classes: Sequence[float] | None = None  # their probabilities, in the contract's order


class Predictor:
    """Reads, looks up, scores. Used from one thread."""

    def __init__(self, bundle: Bundle, scorer: Scorer, lookups: Lookups) -> None:
        """Bind the parts of one version.

        Raises:
            ServingError: the installed feature code is not the one the version was trained with, or
                the scorer tells no classes and the contract asks for one.
        """
        contract = bundle.contract
        self.manifest = bundle.manifest
        self.contract = contract
        self.reader = RequestReader(contract)
        self.lookups = lookups
        self.stale = 0  # requests refused because the look-ups are too old for them
        self.newest_event: date | None = None
        self._scorer = scorer
        self.classes = contract.classes
        self._scores = _scores_of(bundle, scorer)
        self._threshold = bundle.manifest.threshold
        self._least, self._most = score_limits(contract)
        self._max_age = contract.features.max_age_days
        self._features = RowFeatures(contract)
        if self._features.definition != bundle.manifest.definition_digest:
            raise ServingError(
                f"{bundle.folder}: trained with feature definition "
                f"{bundle.manifest.definition_digest[:12]}…, but {contract.features.function} as "
                f"installed is {self._features.definition[:12]}…; "
                "install the code of the version, or train again"
            )

    @property
    def age_days(self) -> int | None:
        """Age of the look-ups for the newest row that asked; None before the first."""
        as_of = self.lookups.as_of
        if as_of is None or self.newest_event is None:
            return None
        return (self.newest_event - as_of).days

    def predict(self, row: Row) -> Prediction | Refusal:
        """The score of a row that meets the contract.

        Raises:
            NotReady: there are no look-ups yet.
            FeatureError, ServingError: the version cannot answer this row; the fault is ours.
        """
        snapshot = self.lookups.current
        if snapshot is None:
            raise NotReady(f"no feature snapshot of {self.contract.name} was published yet")
        as_of: date | None = None
        age: int | None = None
        if self.lookups.needed:
            day = row.event_time.date()
            as_of = snapshot.as_of
            age = (day - as_of).days
            if age > self._max_age:
                self.stale += 1
                return too_old(self.contract, as_of, age)
            if self.newest_event is None or day > self.newest_event:
                self.newest_event = day
        try:
            vector = self._features.vector(row.values, snapshot)
        except RequestError as error:
            field, _, what = str(error).partition(": ")
            return Refusal(AGAINST_CONTRACT, field, what, "see the model's contract")
        if self.classes:
            told = self._told(vector)
            score = max(told)
            named = self.classes[told.index(score)]
            return Prediction(score, named, vector, as_of, age, told)
        score = self._scorer.score(vector)
        if not self._least <= score <= self._most:
            raise ServingError(f"the model gave {score}, which is no {score_name(self.contract)}")
        return Prediction(score, score > self._threshold, vector, as_of, age)

    def _told(self, vector: "array[float]") -> Sequence[float]:
        """The probabilities of the classes."""
        told = self._scores(vector)
        if len(told) != len(self.classes) or not all(0 <= one <= 1 for one in told):
            raise ServingError(
                f"the model gave {told}: no probabilities of {len(self.classes)} classes"
            )
        return told

    def self_test(self) -> float:
        """The score of a row made from the contract, computed as a request would be.

        Raises:
            ServingError: the version cannot answer it.
        """
        snapshot = self.lookups.current or empty_snapshot(
            self.contract.name, self.manifest.definition_digest
        )
        row = example_row(self.contract)
        try:
            vector = self._features.vector(row, snapshot)
            score = max(self._told(vector)) if self.classes else self._scorer.score(vector)
        except RequestError as error:
            raise ServingError(f"self-test: {error}") from error
        if not self._least <= score <= self._most:
            raise ServingError(f"self-test: the model gave {score}, no {score_name(self.contract)}")
        return score


def _scores_of(bundle: Bundle, scorer: Scorer) -> Callable[["array[float]"], Sequence[float]]:
    """What tells the classes' probabilities; where no class is asked for, it is not called."""
    if isinstance(scorer, ClassScorer):
        return scorer.scores
    if bundle.contract.classes:
        raise ServingError(f"{bundle.folder}: its scorer tells no classes apart")
    return lambda vector: (scorer.score(vector),)


def too_old(contract: ModelContract, as_of: date, age: int) -> Refusal:
    """Why a row is not answered by look-ups of that day."""
    return Refusal(
        AGAINST_CONTRACT,
        contract.event_time,
        f"{age} days after {as_of}, the day of the newest feature snapshot",
        f"at most {contract.features.max_age_days} days after it; publish a newer snapshot",
    )


def example_row(contract: ModelContract) -> dict[str, Any]:
    """A row that meets the contract: middles of ranges, first categories."""
    return {column.name: _example(column) for column in contract.request_columns}


def _example(column: Column) -> Any:
    if column.type is ColumnType.CATEGORY:
        return column.categories[0]
    if column.type is ColumnType.TEXT:
        return "text"
    if column.type is ColumnType.TIME:
        return datetime(2000, 1, 3, 12)  # noqa: DTZ001  event times carry no zone
    known = [limit for limit in (column.minimum, column.maximum) if limit is not None]
    middle = sum(known) / len(known) if known else 1.0
    if column.type is ColumnType.NUMBER:
        return middle
    return float(math.ceil(middle) if column.maximum is None else math.floor(middle))
