"""The cheap baseline: a logistic regression on standardised numbers and one weight a category.

It reads rows as `network` does, so a missing number is the mean with a weight of its own, and an
unknown category has one too. It is what a candidate has to beat, not what is served.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from pydantic import Field
from scipy.optimize import minimize
from scipy.special import expit

from mlops_pipeline.data.objects import canonical_json
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.checks import as_values, require_trainable, shares
from mlops_pipeline.training.network import Network, encode, plan_network
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
    """Fits the weights by L-BFGS on the mean log-loss; there is no chance in it."""

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
        plan = plan_network(train.matrix, ())
        numbers, codes = _read(plan, train.matrix.values)
        sizes = [plan.cardinalities[index] + 1 for index in plan.categories]
        starts = np.cumsum([numbers.shape[1], *sizes])[:-1] if sizes else np.empty(0, dtype=int)
        places = codes + np.asarray(starts, dtype=np.int64)[None, :]
        width = numbers.shape[1] + sum(sizes)

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            odds = weights[-1] + numbers @ weights[: numbers.shape[1]]
            odds += weights[places].sum(axis=1) if sizes else 0.0
            off = (expit(odds) - train.labels) / len(train)
            slope = np.zeros(width + 1)
            slope[: numbers.shape[1]] = off @ numbers
            for column in range(len(sizes)):
                slope[:width] += np.bincount(places[:, column], off, minlength=width)
            slope[-1] = off.sum()
            held = asked.l2 * weights[:-1]
            slope[:-1] += held
            sign = np.where(train.labels == 1.0, -odds, odds)
            value = float(np.logaddexp(0.0, sign).mean() + 0.5 * held @ weights[:-1])
            return value, slope

        found = minimize(
            loss,
            np.zeros(width + 1),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": asked.max_iterations},
        )
        content = canonical_json(
            {"network": msgspec.to_builtins(plan), "weights": found.x.tolist()}
        )
        facts: dict[str, Fact] = {
            "rounds": int(found.nit),
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
        numbers, codes = _read(self._plan, as_values(values, len(self._plan.names)))
        odds = self._weights[-1] + numbers @ self._weights[: numbers.shape[1]]
        start = numbers.shape[1]
        for column, index in enumerate(self._plan.categories):
            odds = odds + self._weights[start + codes[:, column]]
            start += self._plan.cardinalities[index] + 1
        return np.asarray(expit(odds), dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """See `Model.files`."""
        return {FILE: self._content}

    def importance(self) -> dict[str, float]:
        """Shares of the weights: a number's own size, a category's spread."""
        count = len(self._plan.numbers)
        size = np.zeros(len(self._plan.names))
        size[self._plan.numbers] = np.abs(self._weights[:count])
        start = 2 * count
        for index in self._plan.categories:
            end = start + self._plan.cardinalities[index] + 1
            size[index] = float(self._weights[start:end].std())
            start = end
        return dict(zip(self._plan.names, shares(size).tolist(), strict=True))

    def facts(self) -> dict[str, Fact]:
        """See `Model.facts`."""
        return dict(self._facts)


def _read(plan: Network, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    numbers, codes = encode(plan, values)
    return numbers.astype(np.float64), codes
