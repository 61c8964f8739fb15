"""Faults for drills: a version that fails on purpose, so that a rollback can be rehearsed.

Nothing here runs unless the process was started with `--fault`; it then says so in its log, in
`/version`, and in a metric.
"""

import asyncio
from dataclasses import dataclass

import xxhash

from mlops_pipeline.errors import ServingError

LIMITS = {"error": 1.0, "delay_ms": 60_000.0, "after": 1e9, "shadow": 1.0, "deaf": 1.0}


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """What goes wrong, and when it begins."""

    error: float = 0.0  # share of units whose requests fail, the same units every time
    delay_ms: float = 0.0
    after: int = 0  # live requests that are served well first
    shadow: bool = False  # whether the mirror's copies are hit too
    deaf: bool = False  # whether `/healthz` fails as well


class Faults:
    """The drill of one process: call `strike` before each prediction."""

    def __init__(self, spec: FaultSpec) -> None:
        self.spec = spec
        self._seen = 0

    @property
    def begun(self) -> bool:
        """Whether enough live requests were served well."""
        return self._seen >= self.spec.after

    async def strike(self, unit: str, *, shadow: bool) -> None:
        """Nothing, a delay, or a failure.

        Raises:
            ServingError: the unit is one of those that fail.
        """
        if shadow and not self.spec.shadow:
            return
        begun = self.begun
        if not shadow:
            self._seen += 1
        if not begun:
            return
        if self.spec.delay_ms:
            await asyncio.sleep(self.spec.delay_ms / 1000)
        if xxhash.xxh64_intdigest(f"fault|{unit}".encode()) / 2**64 < self.spec.error:
            raise ServingError("a fault drill failed this request on purpose")


def parse_faults(text: str) -> FaultSpec:
    """The drill that `error=0.3,delay_ms=200,after=50,shadow=1,deaf=1` describes.

    Raises:
        ServingError: a word is unknown or its value is out of range.
    """
    said = dict.fromkeys(LIMITS, 0.0)
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in LIMITS:
            raise ServingError(f"--fault {text!r}: {name!r} is none of {', '.join(LIMITS)}")
        try:
            said[name] = float(value)
        except ValueError:
            raise ServingError(f"--fault {text!r}: {name} needs a number, not {value!r}") from None
        if not 0 <= said[name] <= LIMITS[name]:
            raise ServingError(f"--fault {text!r}: {name} is from 0 to {LIMITS[name]:g}")
    return FaultSpec(
        error=said["error"],
        delay_ms=said["delay_ms"],
        after=int(said["after"]),
        shadow=bool(said["shadow"]),
        deaf=bool(said["deaf"]),
    )
