"""The table from a trainer's name to what fits and loads its models; a new trainer is one line."""

from collections.abc import Callable, Mapping
from typing import Any

from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.protocols import Model, Trainer
from mlops_pipeline.training.rows import LabelledRows


def _lightgbm() -> Trainer:
    from mlops_pipeline.training.lightgbm import LightgbmTrainer

    return LightgbmTrainer()


def _torch() -> Trainer:
    from mlops_pipeline.training.torch import TorchTrainer

    return TorchTrainer()


def _linear() -> Trainer:
    from mlops_pipeline.training.linear import LinearTrainer

    return LinearTrainer()


TRAINERS: dict[str, Callable[[], Trainer]] = {
    "lightgbm": _lightgbm,
    "torch": _torch,
    "linear": _linear,  # the baseline to beat; no server reads its files
}


def fit_baseline(train: LabelledRows, validation: LabelledRows) -> Model:
    """The cheap model that a candidate has to beat."""
    return trainer("linear").fit(train, validation, params={}, seed=0)


def fit(candidate: Candidate, train: LabelledRows, validation: LabelledRows, *, seed: int) -> Model:
    """The candidate's model, fitted.

    Raises:
        TrainingError: a parameter or the rows are unusable; the message names the candidate.
    """
    try:
        return trainer(candidate.trainer).fit(train, validation, params=candidate.params, seed=seed)
    except TrainingError as error:
        raise TrainingError(f"candidate {candidate.name}: {error}") from error


def check_params(trainer_name: str, params: Mapping[str, Any]) -> None:
    """The parameters are ones that the trainer takes; nothing is fitted.

    Raises:
        TrainingError: one is unknown or out of range.
    """
    trainer(trainer_name).check(params)


def load(trainer_name: str, files: Mapping[str, bytes]) -> Model:
    """The model that a trainer's native files hold.

    Raises:
        TrainingError: no such trainer, or the files are not its own.
    """
    return trainer(trainer_name).load(files)


def trainer(name: str) -> Trainer:
    """The trainer of that name.

    Raises:
        TrainingError: there is none.
    """
    try:
        return TRAINERS[name]()
    except KeyError:
        raise TrainingError(f"no trainer is named {name!r}; there are {sorted(TRAINERS)}") from None
