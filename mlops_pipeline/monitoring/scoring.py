"""Metrics of labelled answers with their intervals: over all, in each slice, and in cost."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Slice
from mlops_pipeline.evaluation.estimates import RANGE, UNBOUNDED, estimate
from mlops_pipeline.evaluation.intervals import Draws, draw_groups, draw_metric
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import Estimate
from mlops_pipeline.evaluation.slices import cut_values, large_enough, positives_of
from mlops_pipeline.monitoring import weighted
from mlops_pipeline.monitoring.live import LiveSlice

COST = "cost"  # mean cost of an answer, by the contract's costs of the two errors
NOTHING = Estimate(None, None, None)


def scores_of(contract: ModelContract, answers: pd.DataFrame) -> np.ndarray:
    """What metrics take of answers: their scores (n,), or the probabilities of classes (n, k)."""
    if not contract.classes:
        return answers["score"].to_numpy(dtype=np.float64)
    told = answers["classes"].tolist()
    return np.array(told, dtype=np.float64).reshape(len(told), len(contract.classes))


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """The labelled rows and their draws."""

    contract: ModelContract
    labels: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    draws: Draws | None

    @classmethod
    def of(cls, contract: ModelContract, scored: pd.DataFrame) -> "Scoring":
        days = scored["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
        groups = days if contract.splits.group == "day" else np.arange(len(scored))
        resamples = contract.acceptance.resamples
        return cls(
            contract,
            scored["label"].to_numpy(dtype=np.float64),
            scores_of(contract, scored),
            scored["weight"].to_numpy(dtype=np.float64)
            if "weight" in scored
            else np.ones(len(scored)),
            draw_groups(groups, resamples=resamples, seed=contract.seed) if len(scored) else None,
        )

    def metrics(self) -> dict[str, Estimate]:
        """Every metric of the task with its interval, by the arithmetic of the release."""
        if self.draws is None:
            return dict.fromkeys(self._named(), NOTHING)
        rows = np.arange(len(self.labels))
        return {
            name: self._cost() if name == COST else self._metric(name, rows, self.draws)
            for name in self._named()
        }

    def _named(self) -> tuple[str, ...]:
        kind = self.contract.kind
        return (*kind.metrics, COST) if kind.counts_yes else kind.metrics

    def slices(self, features: pd.DataFrame) -> list[LiveSlice]:
        """Every value of every declared slice that the features can cut."""
        return [
            part
            for declared in self.contract.slices
            if declared.by in features and self.draws is not None
            for part in self._slice(declared, features[declared.by].to_numpy())
        ]

    def _slice(self, declared: Slice, values: np.ndarray) -> list[LiveSlice]:
        names, place = cut_values(self.contract, declared.by, values, declared.bins)
        found = []
        for index, name in enumerate(names):
            rows = np.flatnonzero(place == index)
            positives = positives_of(self.contract, self.labels[rows])
            value = NOTHING
            if large_enough(self.contract, declared, self.labels[rows]) and self.draws is not None:
                value = self._metric(declared.metric, rows, self.draws.only(rows))
            found.append(LiveSlice(declared.by, name, declared.metric, len(rows), positives, value))
        return found

    def _metric(self, name: str, rows: np.ndarray, draws: Draws) -> Estimate:
        confidence, bar = self.contract.acceptance.confidence, self.contract.bar
        labels, scores, weights = self.labels[rows], self.scores[rows], self.weights[rows]
        if (weights == weights[0]).all():
            point = measure(name, labels, scores, bar)
            drawn = draw_metric(name, draws, labels, scores, bar)
        else:
            point = weighted.measure(name, labels, scores, weights, bar)
            drawn = weighted.draw(name, draws, labels, scores, weights, bar)
        return estimate(point, drawn, draws, confidence, RANGE.get(name, UNBOUNDED))

    def _cost(self) -> Estimate:
        assert self.draws is not None
        cost, bounds = self.contract.monitoring.cost, self.contract.acceptance
        answers = self.scores > bounds.threshold
        each = np.where(self.labels == 1.0, (~answers) * cost.false_no, answers * cost.false_yes)
        sums = self.draws.sums(each * self.weights)
        with np.errstate(invalid="ignore"):  # a draw may hold no rows
            drawn = np.asarray(sums / self.draws.sums(self.weights))
        point = float(np.average(each, weights=self.weights))
        return estimate(point, drawn, self.draws, bounds.confidence, (0.0, np.inf))
