"""Look-ups: the newest feature snapshot of one definition, replaced without a request waiting."""

import logging
import threading
from datetime import date
from pathlib import Path

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.online import FeatureSnapshot, newest_digest, read_snapshot

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds


class Lookups:
    """Holds the newest published snapshot in `current`; a thread looks for a newer one.

    A contract without history features needs none and has an empty one from the start.
    """

    def __init__(self, folder: Path, contract: ModelContract, definition: str) -> None:
        self.current: FeatureSnapshot | None = None
        self.needed = bool(contract.history)
        self.failures = 0
        self._folder = folder
        self._definition = definition
        self._seen: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookups", daemon=True)
        if not self.needed:
            self.current = empty_snapshot(contract.name, definition)

    @property
    def as_of(self) -> date | None:
        """The day whose rows the current snapshot answers; None where there is or needs none."""
        return self.current.as_of if self.needed and self.current is not None else None

    def start(self) -> None:
        """The newest snapshot is loaded, if one was published; newer ones will be."""
        if self.needed:
            self.look()
            self._thread.start()

    def close(self) -> None:
        """No further look."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """A snapshot that was published since the last look is the current one.

        One that cannot be read is logged and counted once; the last good one stays.
        """
        try:
            digest = newest_digest(self._folder, self._definition)
            if digest is None or digest == self._seen:
                return
            self._seen = digest
            snapshot = read_snapshot(self._folder, self._definition, digest)
        except (FeatureError, OSError, ValueError) as error:
            self.failures += 1
            logger.error("features=unreadable folder=%s error=%s", self._folder, error)
            return
        self.current = snapshot
        logger.info("features=loaded as_of=%s digest=%.12s", snapshot.as_of, digest)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self.look()


def empty_snapshot(model: str, definition: str) -> FeatureSnapshot:
    """A snapshot that knows no history: every look-up is missing."""
    return FeatureSnapshot(
        model=model, definition=definition, as_of=date(1970, 1, 1), tables={}, defaults={}
    )
