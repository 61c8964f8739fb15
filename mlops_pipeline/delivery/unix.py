"""Unix sockets: whether anybody listens at a path."""

import socket
from pathlib import Path


def listens(path: Path, timeout: float = 1.0) -> bool:
    """Whether a connection to `path` is accepted now; asked before httpx is, which leaks a refused
    socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(timeout)
        try:
            door.connect(str(path))
        except OSError:
            return False
    return True
