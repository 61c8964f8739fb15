"""What it is to spoil a month of flights, and the means that every way of doing so shares.

The ways stand in `_spoilt_structure.py` and `_spoilt_distribution.py`: a function takes the month,
the clean month before it, chance, and a level of severity.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Frame = pd.DataFrame
Chance = np.random.Generator
Spoil = Callable[[Frame, Frame, Chance, float], Frame]

AT = "scheduled_departure"
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
SHARES = (0.01, 0.1, 1.0)
FEW = (0.001, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to go wrong; `levels` are what the three severities mean to it."""

    name: str
    kind: str  # structural | distributional
    levels: tuple[float, float, float]
    spoil: Spoil


@dataclass(frozen=True, slots=True)
class Kind:
    """Corruptions of one kind, in the order in which they are written down."""

    name: str
    corruptions: list[Corruption] = field(default_factory=list)

    def __call__(self, low: float, middle: float, high: float) -> Callable[[Spoil], Spoil]:
        """The function is one more corruption, by its own name."""

        def add(spoil: Spoil) -> Spoil:
            levels = (low, middle, high)
            self.corruptions.append(Corruption(spoil.__name__, self.name, levels, spoil))
            return spoil

        return add


def some(frame: Frame, chance: Chance, share: float) -> np.ndarray:
    chosen = chance.random(len(frame)) < share
    chosen[int(chance.integers(len(frame)))] = True
    return chosen


def put(frame: Frame, column: str, rows: np.ndarray, values: object) -> Frame:
    old = frame[column]
    new = (
        values
        if isinstance(values, pd.Series | np.ndarray)
        else pd.Series(
            [values] * len(frame),
            index=frame.index,
            dtype=object if isinstance(values, str) else None,
        )
    )
    return frame.assign(**{column: np.where(rows, new, old)})
