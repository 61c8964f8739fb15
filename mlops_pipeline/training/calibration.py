"""Calibration as a part of the model: two numbers from validation rows, folded into its weights.

Platt scaling (Platt 1999; Niculescu-Mizil & Caruana 2005, ICML, section 3) turns log-odds z into
slope * z + intercept. Trees and networks both end in log-odds, so their own leaves or last layer
can carry it: the native files stay as they are, and whatever serves them serves calibrated answers.

Of several classes one number is taken, the temperature (Guo et al. 2017, arXiv 1706.04599, section
4.2): it has no intercept, and the likeliest class stays the likeliest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit

STEPS = 50
COLDEST, HOTTEST = 0.01, 100.0  # slopes that are looked at
CLOSEST = 1e-12  # an answer nearer to 0 or 1 says no more


@dataclass(frozen=True, slots=True)
class Platt:
    """`slope` is above 0, so the order of the answers stays."""

    slope: float
    intercept: float


IDENTITY = Platt(1.0, 0.0)


def fit_scaling(labels: np.ndarray, scores: np.ndarray) -> Platt:
    """The scaling of probabilities of yes (n,), or of classes (n, k), that these rows ask for."""
    return fit_platt(labels, scores) if scores.ndim == 1 else fit_temperature(labels, scores)


def fit_temperature(labels: np.ndarray, scores: np.ndarray) -> Platt:
    """One over the temperature with the least log-loss on these rows; the loss is convex in it."""
    odds = np.log(np.clip(scores, CLOSEST, 1.0))
    happened = np.arange(len(labels)), labels.astype(np.int64)
    if not len(labels) or not np.ptp(odds) > 0:
        return IDENTITY

    def loss(slope: float) -> float:
        return -float(log_softmax(slope * odds, axis=1)[happened].mean())

    found = minimize_scalar(loss, bounds=(COLDEST, HOTTEST), method="bounded")
    return Platt(float(found.x), 0.0) if loss(found.x) < loss(1.0) else IDENTITY


def fit_platt(labels: np.ndarray, scores: np.ndarray) -> Platt:
    """The scaling with the least log-loss on these rows, by damped Newton steps.

    Labels are drawn a little towards each other, as Platt does, so that rows that are told apart
    perfectly have an answer too. The identity where the rows say that the order is wrong.
    """
    odds = logit(np.clip(scores, CLOSEST, 1 - CLOSEST))
    yes, no = float(labels.sum()), float(len(labels) - labels.sum())
    if not yes or not no or not np.ptp(odds) > 0:
        return IDENTITY
    target = np.where(labels == 1.0, (yes + 1) / (yes + 2), 1 / (no + 2))
    inputs = np.column_stack([odds, np.ones(len(odds))])
    found = np.array([1.0, 0.0])
    for _ in range(STEPS):
        answers = expit(inputs @ found)
        slope = inputs.T @ (answers - target)
        bend = (inputs * (answers * (1 - answers))[:, None]).T @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        while _loss(inputs, target, found - step) > _loss(inputs, target, found) + 1e-12:
            step = step / 2  # far from the least loss a whole step leads beyond it
        found = found - step
        if float(np.abs(step).max()) < 1e-10:
            break
    if not np.isfinite(found).all() or found[0] <= 0:
        return IDENTITY
    return Platt(float(found[0]), float(found[1]))


def _loss(inputs: np.ndarray, target: np.ndarray, found: np.ndarray) -> float:
    odds = inputs @ found
    return float((np.logaddexp(0.0, odds) - target * odds).sum())
