"""The server: uvicorn with httptools and uvloop on a unix socket or a loopback port, that drains.

SIGTERM or SIGINT: `/healthz` answers 503 and every answer closes its connection, so that a router
looks elsewhere; after the grace the listener closes, what is in flight is finished, and the process
ends with status 0. A second signal ends the grace.
"""

import logging
import os
import stat
import time
from pathlib import Path
from types import FrameType

import uvicorn

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.app import ServingApp
from mlops_pipeline.serving.straight import StraightProtocol
from mlops_pipeline.settings import SOCKET_PATH_LIMIT

logger = logging.getLogger(__name__)

GRACE = 0.5  # seconds between a signal and the closed listener
FINISH_SECONDS = 10  # for requests in flight
# The router owns idle connections: a server that closed one just as the router reused it would fail
# a request. Envoy's own idle time-out is an hour.
KEEP_ALIVE = 7_200


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: ServingApp, grace: float) -> None:
        super().__init__(config)
        self._app = app
        self._grace = grace
        self._leave_at: float | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(None)
        if self.config.uds is not None:
            os.chmod(self.config.uds, 0o600)
        where = self.config.uds or f"127.0.0.1:{self._port()}"
        logger.info("server=listening at=%s pid=%d", where, os.getpid())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leave_at is not None:
            self.should_exit = True
            return
        logger.info("server=draining signal=%d in_flight=%d", sig, self._app.in_flight)
        self._app.draining = True
        self._leave_at = time.monotonic() + self._grace

    async def on_tick(self, counter: int) -> bool:
        if self._leave_at is not None and time.monotonic() >= self._leave_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def _port(self) -> int:
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port


def serve(
    app: ServingApp, *, uds: Path | None = None, port: int | None = None, grace: float = GRACE
) -> None:
    """Requests are answered until a signal has drained the server. Port 0 takes a free one.

    Raises:
        ServingError: the address cannot be listened on.
    """
    if (uds is None) == (port is None):
        raise ServingError("serve at a unix socket or at a port: say one of them")
    if uds is not None:
        check_socket(uds)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port or 0,
        uds=None if uds is None else str(uds),
        loop="uvloop",
        http=StraightProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    try:
        _Server(config, app, grace).run()
    finally:
        if uds is not None:
            uds.unlink(missing_ok=True)


def check_socket(uds: Path) -> None:
    """A unix socket can be made at `uds`; one that a killed process left there is replaced.

    Raises:
        ServingError: the path is too long, its folder is missing, or a plain file stands there.
    """
    if len(os.fsencode(uds)) > SOCKET_PATH_LIMIT:
        raise ServingError(
            f"--uds {uds} is {len(os.fsencode(uds))} bytes long; a unix socket's path has at most "
            f"{SOCKET_PATH_LIMIT}: name a shorter folder (MLOPS_RUNTIME_DIR)"
        )
    if not uds.parent.is_dir():
        raise ServingError(f"--uds {uds}: {uds.parent} is no folder")
    if uds.exists() and not stat.S_ISSOCK(uds.stat().st_mode):
        raise ServingError(f"--uds {uds} is a file that is no socket; name another path")
