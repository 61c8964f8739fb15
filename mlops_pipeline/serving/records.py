"""Records: what is kept of one call, and what the contract's sensitivity leaves out."""

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from mlops_pipeline.contract.columns import Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord, kept_at
from mlops_pipeline.serving.wire import Row


@dataclass(slots=True)
class Call:
    """One request while it is answered."""

    arm: Arm
    at: float  # unix seconds at arrival
    id: str
    unit: str | None = None
    status: int = 0
    outcome: Outcome = Outcome.ERROR
    score: float | None = None
    classes: Sequence[float] | None = None
    seconds: float = 0.0
    digest: str | None = None  # of the body
    row: Row | None = None
    vector: "array[float] | None" = None
    failure: str | None = None  # a drill's
    traceparent: bytes | None = None  # as it came
    rows: "list[Call] | None" = None  # of a request of several


_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


def trace_of(traceparent: bytes | None) -> str | None:
    """The trace's id in a W3C `traceparent`; None where it is unreadable.

    Source: https://www.w3.org/TR/trace-context/, section 3.2.
    """
    found = None if traceparent is None else _TRACEPARENT.fullmatch(traceparent)
    return None if found is None else found[1].decode()


class RecordMaker:
    """Turns calls of one version into records."""

    def __init__(
        self, model: str, version: str, contract: ModelContract, *, rate: float = 1.0
    ) -> None:
        """`rate` is the share of good answers that leave a record."""
        personal = {c.name for c in contract.columns if c.sensitivity is Sensitivity.PERSONAL}
        tainted = {f.name for f in contract.derived if personal.intersection(f.inputs)}
        self._rate = rate
        self._model = model
        self._version = version
        self._hidden = personal
        shown = [
            (index, feature.name)
            for index, feature in enumerate(contract.features.columns)
            if not (personal | tainted).intersection((feature.name, *feature.inputs))
        ]
        self._places = tuple(index for index, _ in shown)
        self._names = tuple(name for _, name in shown)
        self._all = len(shown) == len(contract.features.columns)
        # Answers in which the feature was missing; where the log is sampled, what they stand for.
        self.missing: dict[str, float] = dict.fromkeys(self._names, 0.0)

    def keeps(self, call: Call) -> bool:
        """Whether the call leaves a record: a hash of its id decides for a good answer."""
        if self._rate >= 1 or call.outcome is not Outcome.OK:
            return True
        return kept_at(self._rate, call.id)

    def later(self, call: Call) -> Callable[[], RequestRecord]:
        """The finished call's record, made where there is room for it."""
        return lambda: self.make(call)

    def make(self, call: Call) -> RequestRecord:
        """The record of a finished call, without what is personal."""
        values: dict[str, Any] = {}
        event_time = None
        if call.row is not None:
            event_time = call.row.event_time.isoformat()
            values = call.row.values
            if self._hidden:
                values = {k: v for k, v in values.items() if k not in self._hidden}
        vector = call.vector
        return RequestRecord(
            id=call.id,
            at=call.at,
            model=self._model,
            version=self._version,
            arm=call.arm,
            unit=call.unit or call.id,
            status=call.status,
            outcome=call.outcome,
            score=call.score,
            latency_ms=round(call.seconds * 1000, 4),
            event_time=event_time,
            row=values,
            features={} if vector is None else self._features_of(vector),
            digest=call.digest,
            trace=trace_of(call.traceparent),
            classes=UNSET if call.classes is None else call.classes,
            rate=self._rate if call.outcome is Outcome.OK else 1.0,
        )

    def _features_of(self, vector: "array[float]") -> dict[str, float | None]:
        values = vector if self._all else [vector[place] for place in self._places]
        total = sum(values)
        if total == total:  # else one of them is missing
            return dict(zip(self._names, values, strict=True))
        found: dict[str, float | None] = {}
        for name, value in zip(self._names, values, strict=True):
            if value != value:
                self.missing[name] += 1 / self._rate
                found[name] = None
            else:
                found[name] = value
        return found
