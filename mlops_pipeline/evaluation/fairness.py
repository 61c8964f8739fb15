"""How far a rate, or a mean error, differs between groups of people or things."""

from collections.abc import Mapping

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import FairnessGroup
from mlops_pipeline.evaluation.estimates import estimate
from mlops_pipeline.evaluation.intervals import Draws
from mlops_pipeline.evaluation.metrics_multiclass import row_right
from mlops_pipeline.evaluation.records import Estimate, FairnessResult, GroupRate
from mlops_pipeline.evaluation.slices import cut_values

NOTHING = Estimate(None, None, None)


def evaluate_fairness(
    contract: ModelContract,
    cuts: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray,
    scores: np.ndarray,
    draws: Draws,
) -> tuple[FairnessResult, ...]:
    """One result for each declared gap, in the contract's order."""
    return tuple(
        _gap(
            contract,
            declared,
            cuts.get(declared.by),
            _counted(declared.metric, labels),
            _averaged(declared.metric, labels, scores, contract.bar),
            draws,
        )
        for declared in contract.fairness
    )


def _gap(
    contract: ModelContract,
    declared: FairnessGroup,
    values: np.ndarray | None,
    counted: np.ndarray,
    averaged: np.ndarray,
    draws: Draws,
) -> FairnessResult:
    if values is None:
        return _result(declared, (), NOTHING, None)
    names, place = cut_values(contract, declared.by, values)
    groups = tuple(
        _rate(name, (place == index) & counted, averaged, declared.min_rows)
        for index, name in enumerate(names)
    )
    judged = sorted((g for g in groups if g.rate is not None), key=lambda g: g.rate or 0.0)
    if len(judged) < 2:
        return _result(declared, groups, NOTHING, None)
    lowest, highest = judged[0], judged[-1]
    pairs = len(judged) * (len(judged) - 1) / 2
    drawn = [
        draws.only(rows).rate(averaged[rows])
        for rows in ((place == names.index(g.value)) & counted for g in (highest, lowest))
    ]
    gap = estimate(
        (highest.rate or 0.0) - (lowest.rate or 0.0),
        drawn[0] - drawn[1],
        draws,
        1 - (1 - contract.acceptance.confidence) / pairs,  # Bonferroni: this pair was picked
    )
    return _result(declared, groups, gap, (highest.value, lowest.value))


def _counted(metric: str, labels: np.ndarray) -> np.ndarray:
    """The rows over which the mean is taken."""
    if metric == "true_positive_rate":
        return np.asarray(labels == 1.0)
    if metric == "false_positive_rate":
        return np.asarray(labels == 0.0)
    return np.ones(len(labels), dtype=bool)


def _averaged(metric: str, labels: np.ndarray, scores: np.ndarray, bar: float) -> np.ndarray:
    """What of each row the mean is taken of: a yes or right answer, or how far it is off."""
    if scores.ndim == 2:  # of several classes: of its likeliest
        right = row_right(labels, scores)
        return right if metric == "accuracy" else np.asarray(scores.max(axis=1) - right)
    if metric in ("calibration", "mean_error"):  # of probabilities: foretold less came true
        return np.asarray(scores - labels)
    if metric == "mean_absolute_error":
        return np.asarray(np.abs(scores - labels))
    return (scores > bar) * 1.0


def _rate(name: str, rows: np.ndarray, averaged: np.ndarray, min_rows: int) -> GroupRate:
    count = int(rows.sum())
    enough = count >= min_rows
    return GroupRate(name, count, float(averaged[rows].mean()) if enough else None)


def _result(
    declared: FairnessGroup,
    groups: tuple[GroupRate, ...],
    gap: Estimate,
    between: tuple[str, str] | None,
) -> FairnessResult:
    return FairnessResult(
        by=declared.by,
        metric=declared.metric,
        max_gap=declared.max_gap,
        severity=declared.severity.value,
        groups=groups,
        gap=gap,
        between=between,
    )
