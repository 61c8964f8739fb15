"""The ASGI application of one version: bare, one object, no framework.

    POST /predict               one row as a JSON object -> its answer
    POST /invocations           MLflow's scoring protocol, see `invocations`
    POST /v2/models/{m}[/versions/{v}]/infer    the Open Inference Protocol, see `inference`
    GET  /healthz /livez /version /metrics …    see `pages`

A client's mistake is answered 4xx with `{"error": {"field", "what", "allowed"}}`; 5xx is ours.
`x-request-id` names the prediction (made when missing), `x-unit` what a rollout randomises over
(the id when missing), `x-shadow: 1` marks the mirror's copy. The rows of a request of several have
the ids `<id>-0`, `<id>-1`, …
"""

import logging
import os
import time
from collections.abc import Callable

import msgspec

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.dialects import MANY_BODY, Content, Dialect, detail
from mlops_pipeline.serving.faults import Faults
from mlops_pipeline.serving.inference import OpenInference
from mlops_pipeline.serving.intake import (
    JSON,
    Receive,
    Scope,
    Send,
    fitting,
    named,
    read_body,
    unreadable,
    usable,
)
from mlops_pipeline.serving.invocations import Invocations
from mlops_pipeline.serving.many import Several
from mlops_pipeline.serving.metrics import Metrics
from mlops_pipeline.serving.one import FAILED, ROWS, digest
from mlops_pipeline.serving.pages import Pages
from mlops_pipeline.serving.predictor import NotReady, Predictor
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.refusals import TIMED_OUT, TOO_LARGE, Refusal
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog

logger = logging.getLogger(__name__)
POST: Scope = {"method": "POST"}


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
        self.in_flight = 0
        self._records = RecordMaker(self.model, version, predictor.contract, rate=log.rate)
        self.metrics = Metrics(
            model=self.model,
            version=version,
            predictor=predictor,
            log=log,
            fault=faults is not None,
            missing=self._records.missing,
        )
        self._protocol = protocol = OpenInference(predictor.contract, version)
        self.pages = Pages(
            version=version,
            predictor=predictor,
            metrics=self.metrics,
            protocol=protocol,
            faults=faults,
        )
        self._one = ROWS[predictor.contract.task](predictor, version)
        self._several = Several(predictor)
        self._log = log
        self._faults = faults
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        # The name that a router gives the cluster of this version.
        self._served_by = (b"x-served-by", f"{self.model}-v{version}".encode())
        self._dialects: dict[str, Dialect] = {
            "/invocations": Invocations(predictor.contract),
            **{f"{path}/infer": protocol for path in self.pages.models},
        }

    @property
    def draining(self) -> bool:
        """Whether a signal asked for the end: answers close their connections."""
        return self.pages.draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self.pages.draining = value

    @property
    def ready(self) -> bool:
        """Warmed (the caller did it), with look-ups, and not draining."""
        return self.pages.unready() is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request is answered."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here; serve with lifespan and websockets off")
        path = scope["path"]
        dialect = None if path == "/predict" else self._dialects.get(path)
        if path != "/predict" and dialect is None:
            await self._page(scope, send)
            return
        self.in_flight += 1
        try:
            if dialect is None:
                await self._predict(scope, receive, send)
            else:
                await self._converse(dialect, scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        call = self._call(headers)
        body = named(call, headers) or unreadable(scope, headers) or await read_body(receive)
        if body is None:
            return  # the client left
        if self._faults is not None:
            await self._strike(call, self._faults)
        status, content = self._judged(call, body)
        await self._send(send, status, JSON, content, call)

    @property
    def straight(self) -> bool:
        """Whether `answer_at_once` may be used: no drill waits, no drain closes connections."""
        return self._faults is None and not self.pages.draining

    def answer_at_once(
        self, headers: dict[bytes, bytes], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and content for a whole `POST /predict`; see `straight`."""
        call = self._call(headers)
        refused = named(call, headers) or unreadable(POST, headers) or fitting(body)
        status, content = self._judged(call, refused or body)
        return status, self._headers(status, JSON, content, call), content

    def _judged(self, call: Call, body: bytes | Refusal) -> tuple[int, bytes]:
        """Status and content; the call is noted and counted.

        That happens before the answer leaves: what was heard was always counted.
        """
        started = time.perf_counter()
        status, content = (
            self._one.refused(call, body)
            if isinstance(body, Refusal)
            else self._one.answered(call, body)
        )
        call.status, call.seconds = status, time.perf_counter() - started
        self._note(call)
        self.metrics.observe(call.arm, call.outcome, call.seconds, call.score)
        return status, content

    async def _converse(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """A request of several rows is answered in its dialect."""
        headers = dict(scope["headers"])
        call = self._call(headers)
        body = (
            named(call, headers)
            or unreadable(scope, headers, dialect.kinds, MANY_BODY)
            or await read_body(receive, MANY_BODY)
        )
        if body is None:
            return
        if self._faults is not None:
            await self._strike(call, self._faults)
        started = time.perf_counter()
        status, content = await self._told_several(dialect, call, body, headers)
        call.status, call.seconds = status, time.perf_counter() - started
        calls = call.rows or [call]
        for one in calls:
            one.status, one.seconds, one.outcome = status, call.seconds, call.outcome
            self._note(one)
        await self._send(send, status, content.kind, content.body, call, content.headers)
        self.metrics.observe(call.arm, call.outcome, call.seconds, calls[0].score)
        for one in calls[1:]:
            self.metrics.scored(call.arm, one.score)

    async def _told_several(
        self, dialect: Dialect, call: Call, body: bytes | Refusal, headers: dict[bytes, bytes]
    ) -> tuple[int, Content]:
        try:
            asked = dialect.read(body, headers) if isinstance(body, bytes) else body
            if isinstance(body, bytes):
                call.digest = digest(body)
            if call.failure is not None:
                asked = Refusal(500, "server", call.failure, "")
            if not isinstance(asked, Refusal):
                if asked.id is not None and b"x-request-id" not in headers:
                    call.id = usable(asked.id) or call.id
                told = await self._several.predict(call, asked)
                if not isinstance(told, Refusal):
                    call.outcome = Outcome.OK
                    return 200, dialect.answer(asked.id or call.id, asked, told)
                asked = told
        except NotReady as error:
            asked = Refusal(503, "server", str(error), "")
        except Exception as error:  # the edge: whatever went wrong, the client hears 500
            logger.exception("infer=failed id=%s error=%s", call.id, error)
            asked = Refusal(500, "server", FAILED, "")
        call.rows = None
        call.outcome = Outcome.ERROR if asked.status >= 500 else Outcome.INVALID
        return asked.status, Content(dialect.error(call.id, asked))

    def _call(self, headers: dict[bytes, bytes]) -> Call:
        arm = Arm.SHADOW if headers.get(b"x-shadow") == b"1" else Arm.LIVE
        name = "" if b"x-request-id" in headers else os.urandom(16).hex()
        return Call(arm, self._clock(), name, traceparent=headers.get(b"traceparent"))

    def _note(self, call: Call) -> None:
        if self._records.keeps(call):
            self._log.append(self._records.later(call))
        else:
            self._log.leave_out()

    async def _strike(self, call: Call, faults: Faults) -> None:
        try:
            await faults.strike(call.unit or call.id, shadow=call.arm is Arm.SHADOW)
        except ServingError as error:
            call.failure = str(error)

    async def _page(self, scope: Scope, send: Send) -> None:
        page = self.pages.get(scope["path"])
        if page is None:
            refusal = self._nowhere(scope["path"])
        elif scope["method"] not in ("GET", "HEAD"):
            refusal = Refusal(405, "method", f"{scope['method'][:20]} is not served here", "GET")
        else:
            await self._send(send, page.status, page.kind, page.content)
            return
        if scope["path"].startswith("/v2"):
            content = self._protocol.error("", refusal)
        else:
            content = self._encode({"error": detail(refusal)})
        await self._send(send, refusal.status, JSON, content)

    def _nowhere(self, path: str) -> Refusal:
        """Where a wrong model or version was asked for, the error names it."""
        head, _, rest = path.removeprefix("/v2/models/").partition("/")
        if path.startswith("/v2/models/") and head != self.model:
            return Refusal(404, "model", "is not served here", self.model)
        if rest.startswith("versions/") and rest.split("/")[1] != self.version:
            return Refusal(404, "version", "is not served here", self.version)
        known = ", ".join(["/predict", *self._dialects, *self.pages.paths])
        return Refusal(404, "path", "nothing is here", f"one of: {known}")

    async def _send(
        self,
        send: Send,
        status: int,
        kind: bytes,
        content: bytes,
        call: Call | None = None,
        more: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        headers = self._headers(status, kind, content, call, more)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _headers(
        self,
        status: int,
        kind: bytes,
        content: bytes,
        call: Call | None = None,
        more: tuple[tuple[bytes, bytes], ...] = (),
    ) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(content)).encode()),
            self._served_by,
            *more,
        ]
        if call is not None:
            headers.append((b"x-request-id", call.id.encode()))
        if status == 405:
            headers.append((b"allow", b"POST" if call is not None else b"GET, HEAD"))
        if self.draining or status in (TIMED_OUT, TOO_LARGE):
            headers.append((b"connection", b"close"))
        return headers
