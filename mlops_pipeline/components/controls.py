"""What the evaluation asset tries beside the candidate: known cases, and a probe for leaks."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.data.splits import Split
from mlops_pipeline.evaluation.controls import Known, run_controls
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.leaks import probe_leaks
from mlops_pipeline.evaluation.records import (
    BaselineResult,
    ControlResult,
    Estimate,
    EvaluationReport,
    LeakProbe,
)
from mlops_pipeline.training.assemble import Assembled
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import fit, fit_baseline

CHEAP_ROWS = 20_000  # what is only held against the candidate needs no more
SHUFFLED = Candidate(name="shuffled", trainer="lightgbm", params={"num_boost_round": 20})


def try_controls(
    contract: ModelContract,
    rows: Assembled,
    cuts: Mapping[str, np.ndarray],
    scores: np.ndarray,
    champion_scores: np.ndarray | None,
) -> tuple[ControlResult, ...]:
    """The gate's word on models whose verdict is known, on the very rows of this run."""
    asked = {criterion.metric for criterion in contract.acceptance.criteria}

    def compare(candidate: np.ndarray, baseline: np.ndarray) -> EvaluationReport:
        return evaluate(
            contract,
            candidate="control",
            rows=rows.test,
            cuts=cuts,
            scores=candidate,
            champion_scores=baseline,
            champion_version="control",
            resources=None,
            seed=contract.seed,
            metrics=sorted(asked),
        )

    known = Known(
        good=scores,
        baseline=scores if champion_scores is None else champion_scores,
        shuffled=_unlearnt(contract, rows.train, rows.test),
    )
    return run_controls(contract, known, rows=rows.test, cuts=cuts, compare=compare)


def beside_baseline(contract: ModelContract, rows: Assembled, scores: np.ndarray) -> BaselineResult:
    """The candidate beside a cheap model that learnt from a sample of its rows."""
    cheap = fit_baseline(_some(contract, rows.train), rows.validation)
    metric = contract.acceptance.beat_linear or contract.acceptance.choose_by
    compared = evaluate(
        contract,
        candidate="chosen",
        rows=rows.test,
        cuts={},
        scores=scores,
        champion_scores=cheap.predict(rows.test.matrix.values),
        champion_version=cheap.trainer,
        resources=None,
        seed=contract.seed,
        metrics=[metric],
    ).metrics[metric]
    value = None if compared.champion is None else compared.champion.value
    gain = compared.gain or Estimate(None, None, None)
    return BaselineResult(cheap.trainer, metric, value, gain)


def look_for_leaks(
    contract: ModelContract, rows: Assembled, frame: pd.DataFrame, split: Split
) -> LeakProbe:
    """The probe, with the rows named by the contract's entity and ordered by its event time."""
    names = pd.util.hash_pandas_object(frame[list(contract.entity)], index=False).to_numpy()
    times = frame[contract.event_time]
    trained = split.train.mask(times)
    return probe_leaks(
        rows.train,
        rows.test,
        train_keys=names[trained].tolist(),
        test_keys=names[rows.test_index].tolist(),
        train_until=times[trained].max().timestamp(),
        test_from=times.iloc[rows.test_index].min().timestamp(),
    )


def _unlearnt(contract: ModelContract, train: LabelledRows, test: LabelledRows) -> np.ndarray:
    """Scores of trees that were shown each row with another row's label."""
    chance = np.random.default_rng(contract.seed)
    some = _some(contract, train)
    shuffled = some.relabelled(chance.permutation(some.labels))
    return fit(SHUFFLED, shuffled, test, seed=contract.seed).predict(test.matrix.values)


def _some(contract: ModelContract, train: LabelledRows) -> LabelledRows:
    """A seeded sample of the training rows, in their order."""
    chance = np.random.default_rng(contract.seed)
    size = min(CHEAP_ROWS, len(train))
    return train.only(np.sort(chance.choice(len(train), size, replace=False)))
