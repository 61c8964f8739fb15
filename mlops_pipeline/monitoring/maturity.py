"""Maturity: how long labels take to come, learnt from those that came and those that did not yet.

A prediction without a label is censored at its age: it may still get one. The share that is told of
by an age is one minus the product-limit estimate (Kaplan & Meier 1958, JASA 53(282), eq. 2b), whose
last value is the share that is told of at all.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class MaturityCurve:
    """Share of predictions whose label is known by an age; both tuples grow."""

    hours: tuple[float, ...]
    share: tuple[float, ...]
    told: int  # labels that it rests on
    waiting: int  # predictions without one

    @property
    def ceiling(self) -> float:
        """Share that is told of at all, as far as was seen."""
        return self.share[-1] if self.share else 0.0

    def age(self, share: float) -> float | None:
        """Hours after which `share` of the labels that come at all are there."""
        if not self.share:
            return None
        wanted = share * self.ceiling
        place = int(np.searchsorted(np.array(self.share), wanted - 1e-12))
        return self.hours[place]


def learn_maturity(ages: np.ndarray, delays: np.ndarray) -> MaturityCurve:
    """The curve of these predictions.

    Args:
        ages: hours since the event of every prediction, shape (n,).
        delays: hours from event to first label; NaN where none has come.
    """
    known = ~np.isnan(delays)
    spans = np.where(known, delays, np.maximum(ages, 0.0))
    hours, survivors, curve = np.unique(delays[known]), 1.0, []
    ordered = np.sort(spans)
    ends = np.sort(delays[known])
    for hour in hours:
        at_risk = len(ordered) - int(np.searchsorted(ordered, hour, "left"))
        ended = int(np.searchsorted(ends, hour, "right") - np.searchsorted(ends, hour, "left"))
        survivors *= 1 - ended / at_risk
        curve.append(1 - survivors)
    return MaturityCurve(
        tuple(float(hour) for hour in hours),
        tuple(float(share) for share in curve),
        told=int(known.sum()),
        waiting=int((~known).sum()),
    )
