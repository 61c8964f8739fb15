"""The cheap baseline: a logistic (of classes: multinomial) or linear regression on standardised
numbers and categories.

It reads rows as `network` does, so a missing number is the mean with a weight of its own, and an
unknown category has one too. It is what a candidate has to beat, not what is served.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from pydantic import Field
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit, log_softmax, softmax

from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.checks import as_values, require_trainable, shares
from mlops_pipeline.training.network import Network, encode, plan_network
from mlops_pipeline.training.objectives import Objective, objective_of
from mlops_pipeline.training.params import Params, read_params
from mlops_pipeline.training.protocols import Fact
from mlops_pipeline.training.rows import LabelledRows

NAME = "linear"
FILE = "linear.json"


class LinearParams(Params):
    """How strongly weights are held near 0, and how long the search may take."""

    l2: float = Field(default=1e-4, ge=0)  # of the mean loss
    max_iterations: int = Field(default=80, ge=1, le=10_000)


class LinearTrainer:
    """Fits the weights by L-BFGS on the mean loss; there is no chance in it."""

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows,
        *,
        params: Mapping[str, Any],
        seed: int,
    ) -> "LinearModel":
        """See `Trainer.fit`; neither the validation rows nor the seed are needed."""
        del seed
        asked = read_params(NAME, LinearParams, params)
        require_trainable(train, validation)
        started = time.monotonic()
        objective = objective_of(train.question)
        plan = plan_network(train.matrix, (), objective.link, objective.outputs)
        design = _Design.of(plan, train.matrix.values)
        shift, scale = _scale(objective, train.labels)
        fitted = _fitted(design, objective, (train.labels - shift) / scale, asked)
        weights = fitted.x * scale
        weights[-1] += shift
        if objective.level is not None:  # a mean, moved to where the quantile lies
            weights[-1] += np.quantile(train.labels - design.sums(weights), objective.level)
        content = canonical_json(
            {"network": msgspec.to_builtins(plan), "weights": weights.tolist()}
        )
        facts: dict[str, Fact] = {
            "rounds": int(fitted.nit),
            "device": "cpu",
            "threads": 1,
            "rows": len(train),
            "seconds": round(time.monotonic() - started, 3),
        }
        return LinearModel(content, facts)

    def check(self, params: Mapping[str, Any]) -> None:
        """See `Trainer.check`."""
        read_params(NAME, LinearParams, params)

    def load(self, files: Mapping[str, bytes]) -> "LinearModel":
        """See `Trainer.load`."""
        if set(files) != {FILE}:
            raise TrainingError(f"a {NAME} model is one file {FILE}, not {sorted(files)}")
        return LinearModel(files[FILE])


class _Stored(msgspec.Struct):
    """What the file holds."""

    network: Network
    weights: list[float]


class LinearModel:
    """Weights, held as the JSON that is stored."""

    trainer = NAME

    def __init__(self, content: bytes, facts: Mapping[str, Fact] | None = None) -> None:
        try:
            stored = msgspec.json.decode(content, type=_Stored)
        except msgspec.DecodeError as error:
            raise TrainingError(f"{FILE} is no linear model: {error}") from error
        self._plan, self._weights = stored.network, np.array(stored.weights)
        self._content, self._facts = content, dict(facts or {})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See `Model.feature_names`."""
        return self._plan.names

    def predict(self, values: np.ndarray) -> np.ndarray:
        """See `Model.predict`."""
        wide = as_values(values, len(self._plan.names))
        design = _Design.of(self._plan, wide)
        if self._plan.link == "softmax":
            return np.asarray(softmax(design.sums_of_classes(self._weights), axis=1))
        sums = design.sums(self._weights)
        return np.asarray(expit(sums) if self._plan.link == "sigmoid" else sums, dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """See `Model.files`."""
        return {FILE: self._content}

    def importance(self) -> dict[str, float]:
        """Shares of the weights: a number's own size, a category's spread; over all classes."""
        count = len(self._plan.numbers)
        size = np.zeros(len(self._plan.names))
        weights = self._weights.reshape(self._plan.outputs, -1)
        size[self._plan.numbers] = np.abs(weights[:, :count]).sum(axis=0)
        start = 2 * count
        for index in self._plan.categories:
            end = start + self._plan.cardinalities[index] + 1
            size[index] = float(weights[:, start:end].std(axis=1).sum())
            start = end
        return dict(zip(self._plan.names, shares(size).tolist(), strict=True))

    def facts(self) -> dict[str, Fact]:
        """See `Model.facts`."""
        return dict(self._facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Rows as a linear model reads them: `places` are the weights of their categories."""

    numbers: np.ndarray  # (n, 2m) float64
    places: np.ndarray  # (n, c) int64, into the weights
    width: int  # weights without the intercept, which is the last

    @classmethod
    def of(cls, plan: Network, values: np.ndarray) -> "_Design":
        numbers, codes = encode(plan, values)
        sizes = [plan.cardinalities[index] + 1 for index in plan.categories]
        starts = np.cumsum([numbers.shape[1], *sizes], dtype=np.int64)[:-1]
        width = numbers.shape[1] + sum(sizes)
        return cls(numbers.astype(np.float64), codes + starts[None, :], width)

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """What the weights of each row add up to, shape (n,)."""
        found = weights[-1] + self.numbers @ weights[: self.numbers.shape[1]]
        return np.asarray(found + weights[self.places].sum(axis=1))

    def sums_of_classes(self, weights: np.ndarray) -> np.ndarray:
        """The same for each class, whose weights follow each other; shape (n, k)."""
        return np.column_stack([self.sums(own) for own in weights.reshape(-1, self.width + 1)])

    def slope(self, off: np.ndarray) -> np.ndarray:
        """The gradient over the weights, from that over the rows' sums."""
        found = np.zeros(self.width + 1)
        found[: self.numbers.shape[1]] = off @ self.numbers
        for column in self.places.T:
            found[: self.width] += np.bincount(column, off, minlength=self.width)
        found[-1] = off.sum()
        return found


def _fitted(
    design: _Design, objective: Objective, labels: np.ndarray, asked: LinearParams
) -> OptimizeResult:
    if objective.link == "softmax":
        return _fitted_classes(design, objective.outputs, labels.astype(np.int64), asked)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        sums = design.sums(weights)
        held = asked.l2 * weights[:-1]
        if objective.link == "sigmoid":
            off = expit(sums) - labels
            each = np.logaddexp(0.0, np.where(labels == 1.0, -sums, sums))
        else:
            off = sums - labels
            each = 0.5 * off**2
        slope = design.slope(off / len(labels))
        slope[:-1] += held
        return float(each.mean() + 0.5 * held @ weights[:-1]), slope

    return _least(loss, design.width + 1, asked)


def _fitted_classes(
    design: _Design, count: int, labels: np.ndarray, asked: LinearParams
) -> OptimizeResult:
    happened = np.eye(count)[labels]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        told = log_softmax(design.sums_of_classes(weights), axis=1)
        off = (np.exp(told) - happened) / len(labels)
        held = asked.l2 * weights.reshape(count, -1)
        held[:, -1] = 0.0  # of the intercepts
        slope = np.concatenate([design.slope(own) for own in off.T]) + held.ravel()
        return float(-(told * happened).sum(axis=1).mean() + 0.5 * held.ravel() @ weights), slope

    return _least(loss, count * (design.width + 1), asked)


def _least(loss: Any, size: int, asked: LinearParams) -> OptimizeResult:
    return minimize(
        loss,
        np.zeros(size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": asked.max_iterations},
    )


def _scale(objective: Objective, labels: np.ndarray) -> tuple[float, float]:
    """Shift and scale of numbers, so that `l2` means the same in any unit; odds have none."""
    if objective.link != "identity":
        return 0.0, 1.0
    return float(labels.mean()), float(labels.std())
