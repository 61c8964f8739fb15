"""The ASGI application of one version: bare, one object, no framework.

    POST /predict   one row as a JSON object -> probability
    GET  /healthz   200 when warmed, look-ups are there and no drain has begun; else 503
    GET  /livez     200 while the process runs
    GET  /version   what is served, by which contract and features, and whether a drill is on
    GET  /metrics   Prometheus

A client's mistake is answered 4xx with `{"error": {"field", "what", "allowed"}}`; 5xx is ours.
`x-request-id` names the prediction (made when missing), `x-unit` what a rollout randomises over
(the id when missing), `x-shadow: 1` marks the mirror's copy.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import date

import msgspec

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.faults import Faults
from mlops_pipeline.serving.intake import (
    JSON,
    Receive,
    Scope,
    Send,
    named,
    read_body,
    unreadable,
)
from mlops_pipeline.serving.metrics import CONTENT_TYPE, Metrics
from mlops_pipeline.serving.predictor import NotReady, Prediction, Predictor
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.refusals import TIMED_OUT, TOO_LARGE, Refusal
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog

logger = logging.getLogger(__name__)


class Answer(msgspec.Struct, gc=False):
    """The body of a 200."""

    id: str
    model: str
    version: str
    probability: float
    answer: bool
    features_as_of: date | None
    features_age_days: int | None


class ServingApp:
    """Answers for one version; the event loop's thread is the only caller."""

    def __init__(
        self,
        *,
        version: str,
        predictor: Predictor,
        log: RequestLog,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = predictor.manifest.model
        self.version = version
        self.draining = False
        self.in_flight = 0
        self.metrics = Metrics(
            model=self.model,
            version=version,
            predictor=predictor,
            log=log,
            fault=faults is not None,
        )
        self._predictor = predictor
        self._log = log
        self._records = RecordMaker(self.model, version, predictor.contract)
        self._faults = faults
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        # The name that a router gives the cluster of this version.
        self._served_by = (b"x-served-by", f"{self.model}-v{version}".encode())
        self._pages = {
            "/healthz": self._healthz,
            "/livez": lambda: (200, b"application/json", b'{"live":true}'),
            "/version": self._version,
            "/metrics": self._metrics,
        }

    @property
    def ready(self) -> bool:
        """Warmed (the caller did it), with look-ups, and not draining."""
        return self._unready() is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request is answered."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here; serve with lifespan and websockets off")
        if scope["path"] == "/predict":
            self.in_flight += 1
            try:
                await self._predict(scope, receive, send)
            finally:
                self.in_flight -= 1
        else:
            await self._page(scope, send)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        call = Call(
            arm=Arm.SHADOW if headers.get(b"x-shadow") == b"1" else Arm.LIVE,
            at=self._clock(),
            id=_new_id(),
        )
        body = named(call, headers) or unreadable(scope, headers) or await read_body(receive)
        if body is None:
            return  # the client left
        if self._faults is not None:
            await self._strike(call, self._faults)
        started = time.perf_counter()
        status, content = (
            self._refused(call, body) if isinstance(body, Refusal) else self._answered(call, body)
        )
        seconds = time.perf_counter() - started
        await self._send(send, status, JSON, content, call)
        self.metrics.observe(call.arm, call.outcome, seconds, call.score)
        call.status, call.latency_ms = status, seconds * 1000
        self._log.append(self._records.later(call))

    async def _strike(self, call: Call, faults: Faults) -> None:
        try:
            await faults.strike(call.unit or call.id, shadow=call.arm is Arm.SHADOW)
        except ServingError as error:
            call.failure = str(error)

    def _answered(self, call: Call, body: bytes) -> tuple[int, bytes]:
        """Status and body; the call holds what happened."""
        try:
            row = self._predictor.reader.read(body)
            if isinstance(row, Refusal):
                return self._refused(call, row)
            call.row = row
            if call.failure is not None:
                return self._failed(call, 500, call.failure)
            said = self._predictor.predict(row)
        except NotReady as error:
            return self._failed(call, 503, str(error))
        except Exception as error:  # the edge: whatever went wrong, the client hears 500
            logger.exception("predict=failed id=%s error=%s", call.id, error)
            return self._failed(call, 500, "the version failed on this row; see the server's log")
        if isinstance(said, Refusal):
            return self._refused(call, said)
        return self._told(call, said)

    def _told(self, call: Call, said: Prediction) -> tuple[int, bytes]:
        call.outcome = Outcome.OK
        call.score = said.probability
        call.vector = said.vector
        answer = Answer(
            call.id,
            self.model,
            self.version,
            said.probability,
            said.answer,
            said.as_of,
            said.age_days,
        )
        return 200, self._encode(answer)

    def _refused(self, call: Call, refusal: Refusal) -> tuple[int, bytes]:
        call.outcome = Outcome.INVALID
        return refusal.status, self._encode({"id": call.id, "error": _error(refusal)})

    def _failed(self, call: Call, status: int, what: str) -> tuple[int, bytes]:
        call.outcome = Outcome.ERROR
        error = {"field": None, "what": what, "allowed": None}
        return status, self._encode({"id": call.id, "error": error})

    async def _page(self, scope: Scope, send: Send) -> None:
        page = self._pages.get(scope["path"])
        if page is None:
            known = ", ".join(["/predict", *self._pages])
            refusal = Refusal(404, "path", "nothing is here", f"one of: {known}")
        elif scope["method"] not in ("GET", "HEAD"):
            refusal = Refusal(405, "method", f"{scope['method']} is not served here", "GET")
        else:
            status, kind, content = page()
            await self._send(send, status, kind, content)
            return
        content = self._encode({"error": _error(refusal)})
        await self._send(send, refusal.status, JSON, content)

    async def _send(
        self, send: Send, status: int, kind: bytes, content: bytes, call: Call | None = None
    ) -> None:
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(content)).encode()),
            self._served_by,
        ]
        if call is not None:
            headers.append((b"x-request-id", call.id.encode()))
        if status == 405:
            headers.append((b"allow", b"POST" if call is not None else b"GET, HEAD"))
        if self.draining or status in (TIMED_OUT, TOO_LARGE):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _unready(self) -> str | None:
        if self.draining:
            return "draining"
        if self._faults is not None and self._faults.spec.deaf and self._faults.begun:
            return "a fault drill"
        if self._predictor.lookups.current is None:
            return "no feature snapshot was published yet"
        return None

    def _healthz(self) -> tuple[int, bytes, bytes]:
        why = self._unready()
        body = {
            "ready": why is None,
            "why": why,
            "features_as_of": self._predictor.lookups.as_of,
            "features_age_days": self._predictor.age_days,
        }
        return (200 if why is None else 503), JSON, self._encode(body)

    def _version(self) -> tuple[int, bytes, bytes]:
        manifest = self._predictor.manifest
        body = {
            "model": self.model,
            "version": self.version,
            "candidate": manifest.candidate,
            "trainer": manifest.trainer,
            "threshold": manifest.threshold,
            "lineage": manifest.lineage_digest,
            "contract": manifest.contract_digest,
            "features": manifest.definition_digest,
            "features_as_of": self._predictor.lookups.as_of,
            "fault": self._faults.spec if self._faults else None,
            "pid": os.getpid(),
        }
        return 200, JSON, self._encode(body)

    def _metrics(self) -> tuple[int, bytes, bytes]:
        self.metrics.ready = self.ready
        return 200, CONTENT_TYPE, self.metrics.text()


def _new_id() -> str:
    return os.urandom(16).hex()


def _error(refusal: Refusal) -> Mapping[str, str]:
    return {"field": refusal.field, "what": refusal.what, "allowed": refusal.allowed}
