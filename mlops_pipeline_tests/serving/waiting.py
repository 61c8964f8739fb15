"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from threading import Event


def wait_for(happened: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for something that another thread or process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        Event().wait(0.01)
