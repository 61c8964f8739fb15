"""The seam between a way to fit and everything that uses what was fitted."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlops_pipeline.training.rows import LabelledRows

Fact = str | int | float | bool | None


class Model(Protocol):
    """A fitted model: it predicts, explains and saves itself. It never changes."""

    @property
    def trainer(self) -> str:
        """The name under which the table finds what loads its files."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Its inputs, in the order of the columns of `values`."""

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Scores, float64 of shape (n,), for float64 values of shape (n, p).

        A score is the probability of yes, or the number that is asked for. Where one of k classes
        is asked for, the scores are (n, k): each row the probabilities of the classes.

        Raises:
            TrainingError: `values` has another number of columns.
        """

    def files(self) -> dict[str, bytes]:
        """Its native files by name; no pickle. Equal models have equal files."""

    def importance(self) -> dict[str, float]:
        """Share of each feature in what the model gained; the shares sum to 1, or all are 0."""

    def facts(self) -> dict[str, Fact]:
        """What the fit was like: rounds, device, seconds. Empty for a model that was loaded."""


@runtime_checkable
class Explaining(Protocol):
    """A model that can say what moved each of its answers."""

    def attributions(self, values: np.ndarray) -> np.ndarray:
        """What each feature adds to each row's log-odds, or number: shape (n, p).

        Of classes: to what its likeliest class adds up to.
        """


class Trainer(Protocol):
    """One way to fit a model; the same rows, parameters and seed give the same files."""

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows,
        *,
        params: Mapping[str, Any],
        seed: int,
    ) -> Model:
        """A model fitted on `train`; `validation` serves early stopping, where params ask for it.

        Raises:
            TrainingError: a parameter is unknown or out of range, or the rows cannot be fitted.
        """

    def check(self, params: Mapping[str, Any]) -> None:
        """The parameters are its own.

        Raises:
            TrainingError: one is unknown or out of range.
        """

    def load(self, files: Mapping[str, bytes]) -> Model:
        """The model that `Model.files` wrote, with equal predictions.

        Raises:
            TrainingError: the files are not this trainer's.
        """
