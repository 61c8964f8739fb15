"""The node's control socket: private, the only one of its kind, and opened again when deleted."""

import fcntl
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from mlops_pipeline.errors import DeliveryError

CLOSE_SECONDS = 10.0
logger = logging.getLogger(__name__)


class ControlDoor:
    """Serves the control interface at a unix socket until it is closed."""

    def __init__(self, app: Starlette, path: Path) -> None:
        self._app = app
        self._path = path
        self._inode = 0
        self._open: list[tuple[uvicorn.Server, threading.Thread]] = []

    def open(self) -> None:
        """The control interface answers at the path."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listening = private_socket(self._path)
        self._inode = self._path.stat().st_ino
        config = uvicorn.Config(
            self._app, log_config=None, lifespan="off", access_log=False, loop="asyncio"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="control"
        )
        thread.start()
        self._open.append((server, thread))

    def mend(self) -> bool:
        """Whether the socket was gone (or somebody else's) and another one was opened."""
        try:
            if self._path.stat().st_ino == self._inode:
                return False
        except FileNotFoundError:
            pass
        logger.warning("event=control_socket_gone path=%s", self._path)
        old = list(self._open)
        self._open.clear()
        self.open()
        for server, _ in old:
            server.should_exit = True
        return True

    def close(self) -> None:
        """Nobody answers any more."""
        for server, _ in self._open:
            server.should_exit = True
        for _, thread in self._open:
            thread.join(CLOSE_SECONDS)
        self._path.unlink(missing_ok=True)


def private_socket(path: Path) -> socket.socket:
    """A listening place that only this user can reach."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    path.chmod(0o600)
    door.listen(64)  # who comes before the server is up waits
    return door


@contextmanager
def only_node(*folders: Path) -> Iterator[None]:
    """While the body runs no other node starts on one of these folders.

    Raises:
        DeliveryError: one runs already; the message names its pid.
    """
    if not folders:
        yield
        return
    folder, *others = folders
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "node.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DeliveryError(
                f"a node runs already on {folder} (pid {file.read().strip()}); "
                "stop it first, or set MLOPS_HOME and MLOPS_RUNTIME_DIR"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        with only_node(*others):
            yield
