"""Several rows of one request: all are answered, or the first wrong one is named.

The event loop is given back between slices, so that a request of a thousand rows does not hold up
those of one row for longer than a slice takes.
"""

import asyncio
from dataclasses import replace

from mlops_pipeline.serving.dialects import Asked
from mlops_pipeline.serving.predictor import Prediction, Predictor
from mlops_pipeline.serving.records import Call
from mlops_pipeline.serving.refusals import Refusal

SLICE = 32  # rows; about a millisecond


class Several:
    """Answers requests of several rows with the very numbers that `/predict` gives."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def predict(self, call: Call, asked: Asked) -> list[Prediction] | Refusal:
        """One prediction a row; `call.rows` holds a call for each.

        Raises:
            NotReady, FeatureError, ServingError: as `Predictor.predict`.
        """
        told: list[Prediction] = []
        calls: list[Call] = []
        for start in range(0, len(asked.rows), SLICE):
            if start:
                await asyncio.sleep(0)
            for number in range(start, min(start + SLICE, len(asked.rows))):
                one = self._one(call, asked, number)
                if isinstance(one, Refusal):
                    return one
                calls.append(one[0])
                told.append(one[1])
        call.rows = calls
        return told

    def _one(self, call: Call, asked: Asked, number: int) -> tuple[Call, Prediction] | Refusal:
        row = self._predictor.reader.check(asked.rows[number])
        said = row if isinstance(row, Refusal) else self._predictor.predict(row)
        if isinstance(row, Refusal) or isinstance(said, Refusal):
            refusal = row if isinstance(row, Refusal) else said
            assert isinstance(refusal, Refusal)
            if len(asked.rows) == 1:
                return refusal
            return replace(refusal, field=f"row {number}: {refusal.field}")
        name = call.id if len(asked.rows) == 1 else f"{call.id}-{number}"
        one = Call(arm=call.arm, at=call.at, id=name, unit=call.unit, digest=call.digest)
        one.traceparent = call.traceparent
        one.row, one.score, one.vector = row, said.score, said.vector
        one.classes = said.classes
        return one, said
