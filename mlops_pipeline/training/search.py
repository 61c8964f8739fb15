"""Hyperparameter search with Optuna, seeded and recorded. The only importer of optuna.

Every trial is fitted on the training rows and scored by the task's loss on the validation rows;
the test's rows are never seen. What is found becomes the candidate's own parameters, so a rebuild
needs no search.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_pipeline.contract.promises import Candidate, Search
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.objectives import objective_of
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import fit


@dataclass(frozen=True, slots=True)
class Trial:
    """One try: what was set, and the loss on the validation rows."""

    params: Mapping[str, Any]
    loss: float


def search(
    candidate: Candidate, train: LabelledRows, validation: LabelledRows, *, seed: int
) -> tuple[Candidate, tuple[Trial, ...]]:
    """The candidate with the best parameters found, and every trial in its order.

    A candidate without a search is given back as it is. The contract's own parameters are
    tried first, so what is found is never worse on these rows.

    Raises:
        TrainingError: there are no validation rows, or no trial could be fitted.
    """
    asked = candidate.search
    if asked is None:
        return candidate, ()
    if not len(validation):
        raise TrainingError(f"candidate {candidate.name}: a search needs validation rows")
    import optuna

    objective = objective_of(validation.question, candidate.params.get("loss"))
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def tried_with(params: Mapping[str, Any]) -> Trial:
        set_so = candidate.model_copy(update={"params": dict(params)})
        scores = fit(set_so, train, validation, seed=seed).predict(validation.matrix.values)
        return Trial(params, objective.loss(validation.labels, scores))

    tried = [tried_with(candidate.params)]

    def attempt(trial: Any) -> float:
        tried.append(tried_with({**candidate.params, **_suggested(trial, asked)}))
        return tried[-1].loss

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(attempt, n_trials=asked.trials)
    best = min(tried, key=lambda trial: trial.loss)
    return candidate.model_copy(update={"params": dict(best.params)}), tuple(tried)


def _suggested(trial: Any, asked: Search) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, space in asked.space.items():
        if space.low is None or space.high is None:
            found[name] = trial.suggest_categorical(name, list(space.choices))
        elif space.whole:
            found[name] = trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
        else:
            found[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
    return found
