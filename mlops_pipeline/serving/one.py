"""One row of `/predict`: from its body to the status and content of the answer."""

import hashlib
import logging
from datetime import date

import msgspec

from mlops_pipeline.serving.dialects import detail
from mlops_pipeline.serving.predictor import NotReady, Prediction, Predictor
from mlops_pipeline.serving.records import Call
from mlops_pipeline.serving.refusals import Refusal
from mlops_pipeline.serving.request_log import Outcome

logger = logging.getLogger(__name__)
FAILED = "the version failed on this row; see the server's log"


class Answer(msgspec.Struct, gc=False):
    """The body of a 200 of `/predict`, where yes or no is asked."""

    id: str
    model: str
    version: str
    probability: float
    answer: bool
    features_as_of: date | None
    features_age_days: int | None


class NumberAnswer(msgspec.Struct, gc=False):
    """The body of a 200 of `/predict`, where a number is asked."""

    id: str
    model: str
    version: str
    prediction: float
    features_as_of: date | None
    features_age_days: int | None


class ClassAnswer(msgspec.Struct, gc=False):
    """The body of a 200 of `/predict`, where one of several classes is asked."""

    id: str
    model: str
    version: str
    answer: str
    probability: float  # of the answer
    classes: dict[str, float]
    features_as_of: date | None
    features_age_days: int | None


class OneRow:
    """Answers single rows with one version; notes in the call what happened."""

    def __init__(self, predictor: Predictor, version: str) -> None:
        self._predictor = predictor
        self._model = predictor.manifest.model
        self._version = version
        self._encode = msgspec.json.Encoder().encode

    def answered(self, call: Call, body: bytes) -> tuple[int, bytes]:
        """Status and body; the call holds what happened."""
        try:
            call.digest = digest(body)
            row = self._predictor.reader.read(body)
            if isinstance(row, Refusal):
                return self.refused(call, row)
            call.row = row
            if call.failure is not None:
                return self._failed(call, 500, call.failure)
            said = self._predictor.predict(row)
        except NotReady as error:
            return self._failed(call, 503, str(error))
        except Exception as error:  # the edge: whatever went wrong, the client hears 500
            logger.exception("predict=failed id=%s error=%s", call.id, error)
            return self._failed(call, 500, FAILED)
        if isinstance(said, Refusal):
            return self.refused(call, said)
        return self._told(call, said)

    def _told(self, call: Call, said: Prediction) -> tuple[int, bytes]:
        call.outcome = Outcome.OK
        call.score = said.score
        call.vector = said.vector
        answer = Answer(
            call.id,
            self._model,
            self._version,
            said.score,
            said.answer,
            said.as_of,
            said.age_days,
        )
        return 200, self._encode(answer)

    def refused(self, call: Call, refusal: Refusal) -> tuple[int, bytes]:
        """Status and body of a client's mistake."""
        call.outcome = Outcome.INVALID
        return refusal.status, self._encode({"id": call.id, "error": detail(refusal)})

    def _failed(self, call: Call, status: int, what: str) -> tuple[int, bytes]:
        call.outcome = Outcome.ERROR
        error = {"field": None, "what": what, "allowed": None}
        return status, self._encode({"id": call.id, "error": error})


class OneNumber(OneRow):
    """The same for a version that says numbers."""

    def _told(self, call: Call, said: Prediction) -> tuple[int, bytes]:
        call.outcome, call.score, call.vector = Outcome.OK, said.score, said.vector
        answer = NumberAnswer(
            call.id, self._model, self._version, said.score, said.as_of, said.age_days
        )
        return 200, self._encode(answer)


class OneClass(OneRow):
    """The same for a version that tells classes apart."""

    def _told(self, call: Call, said: Prediction) -> tuple[int, bytes]:
        call.outcome, call.score, call.vector = Outcome.OK, said.score, said.vector
        call.classes = told = said.classes or ()
        answer = ClassAnswer(
            call.id,
            self._model,
            self._version,
            said.answer,
            said.score,
            dict(zip(self._predictor.classes, told, strict=True)),
            said.as_of,
            said.age_days,
        )
        return 200, self._encode(answer)


ROWS: dict[str, type[OneRow]] = {  # by task
    "binary": OneRow,
    "regression": OneNumber,
    "multiclass": OneClass,
}


def digest(body: bytes) -> str:
    """What a request is recognised by: half of the SHA-256 of its body."""
    return hashlib.sha256(body).hexdigest()[:32]
