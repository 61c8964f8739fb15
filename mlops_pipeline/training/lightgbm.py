"""Gradient-boosted trees, fitted and loaded with LightGBM. The only importer of lightgbm.

The model file is LightGBM's own text without its parameter block: that block repeats how many
threads grew the trees, while the trees do not depend on it. The parameters stand in the lineage.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.calibration import IDENTITY, Platt, fit_scaling
from mlops_pipeline.training.checks import (
    as_values,
    require_calibratable,
    require_trainable,
    require_validation,
    shares,
)
from mlops_pipeline.training.objectives import Objective, objective_of
from mlops_pipeline.training.params import Params, read_params
from mlops_pipeline.training.protocols import Fact
from mlops_pipeline.training.rows import LabelledRows

NAME = "lightgbm"
FILE = "model.txt"
NOT_LIGHTGBMS = {"num_boost_round", "early_stopping_rounds", "calibrate", "loss"}


class LightgbmParams(Params):
    """LightGBM's own names, https://lightgbm.readthedocs.io/en/stable/Parameters.html."""

    num_boost_round: int = Field(default=100, ge=1, le=10_000)
    num_leaves: int = Field(default=31, ge=2, le=4096)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_depth: int = Field(default=-1, ge=-1)
    min_data_in_leaf: int = Field(default=20, ge=1)
    feature_fraction: float = Field(default=1.0, gt=0, le=1)
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    bagging_freq: int = Field(default=0, ge=0)
    lambda_l1: float = Field(default=0.0, ge=0)
    lambda_l2: float = Field(default=0.0, ge=0)
    min_gain_to_split: float = Field(default=0.0, ge=0)
    max_bin: int = Field(default=255, ge=2, le=1024)
    cat_smooth: float = Field(default=10.0, ge=0)
    cat_l2: float = Field(default=10.0, ge=0)
    early_stopping_rounds: int | None = Field(default=None, ge=1)  # missing: every round is kept
    loss: Literal["l2", "l1"] | None = None  # of a number; missing: squared error
    calibrate: bool = False  # by scaling on the validation rows, folded into the leaves
    # One thread: a second one waits in a spin loop whenever another process wants its core.
    num_threads: int = Field(default=1, ge=1, le=64)


class LightgbmTrainer:
    """Fits trees; the validation rows only stop the rounds, if asked."""

    def fit(
        self,
        train: LabelledRows,
        validation: LabelledRows,
        *,
        params: Mapping[str, Any],
        seed: int,
    ) -> "LightgbmModel":
        """See `Trainer.fit`."""
        import lightgbm

        asked = read_params(NAME, LightgbmParams, params)
        require_trainable(train, validation)
        started = time.monotonic()
        options = _options(asked, objective_of(train.question, asked.loss), seed)
        data = _dataset(train, options)
        watched: list[Any] = []
        callbacks: list[Callable[..., Any]] = []
        if asked.early_stopping_rounds is not None:
            require_validation(validation, "early_stopping_rounds")
            watched = [_dataset(validation, options, reference=data)]
            callbacks = [lightgbm.early_stopping(asked.early_stopping_rounds, verbose=False)]
        booster = lightgbm.train(
            options,
            data,
            num_boost_round=asked.num_boost_round,
            valid_sets=watched,
            callbacks=callbacks,
        )
        rounds = booster.best_iteration if watched else booster.current_iteration()
        text = booster.model_to_string(num_iteration=rounds)
        scaling = IDENTITY
        if asked.calibrate:
            require_calibratable(validation)
            scores = LightgbmModel(_trees_only(text)).predict(validation.matrix.values)
            scaling = fit_scaling(validation.labels, scores)
            text = _folded(text, scaling)
        return LightgbmModel(
            _trees_only(text),
            facts={
                "calibration_slope": scaling.slope,
                "calibration_intercept": scaling.intercept,
                "rounds": rounds,
                "device": "cpu",
                "threads": asked.num_threads,
                "rows": len(train),
                "seconds": round(time.monotonic() - started, 3),
            },
        )

    def check(self, params: Mapping[str, Any]) -> None:
        """See `Trainer.check`."""
        read_params(NAME, LightgbmParams, params)

    def load(self, files: Mapping[str, bytes]) -> "LightgbmModel":
        """See `Trainer.load`."""
        if set(files) != {FILE}:
            raise TrainingError(f"a {NAME} model is one file {FILE}, not {sorted(files)}")
        return LightgbmModel(files[FILE].decode())


class LightgbmModel:
    """Trees, held as the text that is stored: a fitted model is the same object as a loaded one."""

    trainer = NAME

    def __init__(self, text: str, facts: Mapping[str, Fact] | None = None) -> None:
        import lightgbm

        try:
            self._booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise TrainingError(f"{FILE} is no LightGBM model: {error}") from error
        self._text = text
        self._facts = dict(facts or {})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """See `Model.feature_names`."""
        return tuple(self._booster.feature_name())

    def predict(self, values: np.ndarray) -> np.ndarray:
        """See `Model.predict`."""
        wide = as_values(values, self._booster.num_feature())
        if not len(wide):
            outputs = self._booster.num_model_per_iteration()
            return np.empty(0 if outputs == 1 else (0, outputs))
        return np.asarray(self._booster.predict(wide, num_threads=1), dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """See `Model.files`."""
        return {FILE: self._text.encode()}

    def importance(self) -> dict[str, float]:
        """Shares of the total gain of all splits."""
        gains = shares(self._booster.feature_importance("gain"))
        return dict(zip(self.feature_names, gains.tolist(), strict=True))

    def attributions(self, values: np.ndarray) -> np.ndarray:
        """Shapley values of the trees (Lundberg et al. 2020, Nature Machine Intelligence 2)."""
        wide = as_values(values, self._booster.num_feature())
        found = self._booster.predict(wide, pred_contrib=True, num_threads=1)
        added = np.asarray(found, dtype=np.float64).reshape(len(wide), -1, wide.shape[1] + 1)
        likeliest = added.sum(axis=2).argmax(axis=1)  # the only one, where no class is asked for
        told: np.ndarray = added[np.arange(len(wide)), likeliest, :-1]  # the last: the mean answer
        return told

    def facts(self) -> dict[str, Fact]:
        """See `Model.facts`."""
        return dict(self._facts)


def _options(asked: LightgbmParams, objective: Objective, seed: int) -> dict[str, Any]:
    tuned = asked.model_dump(exclude=NOT_LIGHTGBMS)
    return {
        **tuned,
        **objective.lightgbm,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,  # deterministic needs the choice of layout to be fixed
        "verbosity": -1,
    }


def _dataset(rows: LabelledRows, options: Mapping[str, Any], reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        np.ascontiguousarray(rows.matrix.values, dtype=np.float64),
        label=rows.labels,
        feature_name=list(rows.matrix.names),
        categorical_feature=[i for i, k in enumerate(rows.matrix.cardinalities) if k],
        reference=reference,
        params=dict(options),
    )


def _folded(text: str, scaling: Platt) -> str:
    """The same trees with scaled leaves; the first tree carries the intercept."""
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    leaves = [int(line.partition("=")[2]) for line in text.splitlines() if _counts_leaves(line)]
    for tree, count in enumerate(leaves):
        shift = 0.0 if tree else scaling.intercept
        for leaf in range(count):
            value = booster.get_leaf_output(tree, leaf)
            booster.set_leaf_output(tree, leaf, scaling.slope * value + shift)
    folded: str = booster.model_to_string()
    return folded


def _counts_leaves(line: str) -> bool:
    return line.startswith("num_leaves=")


def _trees_only(text: str) -> str:
    return text.split("\nparameters:")[0] + "\n"
