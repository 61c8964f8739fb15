"""Room kept on the disk, so that a retreat can be written though the disk is full."""

import errno
import logging
import os
import time
from pathlib import Path

BALLAST_BYTES = 4 * 1024 * 1024  # journal, routes and clusters, several times over
RELOAD_SECONDS = 30.0  # for which dropped room is left to whoever needs it
logger = logging.getLogger(__name__)


class Ballast:
    """A file that is thrown away when room is needed, and made again when there is room."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size = size
        self._not_before = 0.0

    def load(self) -> bool:
        """Whether the room is held now; tried again later where the disk is full."""
        if time.monotonic() < self._not_before:
            return False
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError as error:
            logger.warning("event=no_ballast path=%s error=%s", self._path, error)
            self._path.unlink(missing_ok=True)
            self._not_before = time.monotonic() + RELOAD_SECONDS
            return False
        return True

    def drop(self, because: OSError) -> bool:
        """Whether there is room now: the disk was full, and the ballast is gone."""
        if because.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._path.exists():
            return False
        logger.error("event=ballast_dropped path=%s because=%s", self._path, because)
        self._not_before = time.monotonic() + RELOAD_SECONDS
        self._path.unlink(missing_ok=True)
        return True
