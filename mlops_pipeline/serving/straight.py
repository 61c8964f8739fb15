"""The straight way: a whole `/predict` request is answered where it was parsed, without a task.

Of a request that came in one piece there is nothing to wait for; a task, an event and two messages
for each would cost as much as the features do. Whatever is not so simple (another path, a body in
pieces, a pipeline that is busy, a drill, a drain) goes uvicorn's own way, through the same
application, with the same answers.
"""

from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mlops_pipeline.serving.app import ServingApp


class StraightProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which holds a simple request back until it is whole."""

    _held: list[bytes] | None = None  # pieces of the body of a request that may be simple

    def data_received(self, data: bytes) -> None:
        """Simple requests in these bytes are answered; a started one goes the other way."""
        super().data_received(data)
        held, self._held = self._held, None
        if held is not None and not self.transport.is_closing():
            super().on_headers_complete()
            for piece in held:
                super().on_body(piece)

    def on_headers_complete(self) -> None:
        """Hold a simple request back; start any other."""
        if self._simple():
            self._held = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: a held one is answered now."""
        held, self._held = self._held, None
        if held is None:
            super().on_message_complete()
            return
        app = cast(ServingApp, self.app)
        status, headers, content = app.answer_at_once(dict(self.headers), b"".join(held))
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n", content)
        self.transport.write(b"".join(parts))
        self.server_state.total_requests += 1
        if headers[-1] == (b"connection", b"close"):
            self.transport.close()

    def _simple(self) -> bool:
        return (
            self.url == b"/predict"
            and cast(ServingApp, self.app).straight
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
        )
