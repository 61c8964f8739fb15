"""Compaction: spool files that no process writes any more become Parquet, and old ones go.

    python -m mlops_pipeline.serving.compaction FOLDER [--keep-days 30]

A process of its own, at the lowest priority: pyarrow never enters a server. It can be killed at any
point: the Parquet file appears whole by a rename before its spool is removed, and readers prefer
it. Two at once on one folder take turns.
"""

import argparse
import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.log_counts import unlocked
from mlops_pipeline.serving.log_spool import PARQUET, SPOOL

logger = logging.getLogger(__name__)
DAY = 86_400.0  # seconds
KEEP_DAYS = 90.0


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one run did."""

    files: int  # spool files that became Parquet
    records: int
    removed: int  # files whose records are all too old


def compact(folder: Path, *, now: float, keep_days: float = KEEP_DAYS) -> Compacted:
    """Every spool file of an ended process, or that its process ended, is Parquet.

    Files whose newest record is older than `keep_days` are removed. A file with a broken line is
    left as it is, and said in the log.
    """
    from mlops_pipeline.serving.log_parquet import newest, to_parquet

    files = records = removed = 0
    with _alone(folder):
        for spool in sorted(folder.rglob(f"*-*{SPOOL}")):
            with spool.open("rb") as held:
                if not unlocked(held):
                    continue
                try:
                    _, count = to_parquet(spool)
                except ServingError as error:
                    logger.error("compaction=broken error=%s", error)
                    continue
                spool.unlink()
            files += 1
            records += count
        for path in folder.rglob(f".*{PARQUET}.*"):  # of a compaction that was killed
            path.unlink()
        for path in sorted(folder.rglob(f"[!.]*-*{PARQUET}")):
            if newest(path) < now - keep_days * DAY:
                path.unlink()
                removed += 1
    return Compacted(files, records, removed)


class Compactor:
    """Starts a compaction in a process of its own, one at a time."""

    def __init__(self, folder: Path, keep_days: float = KEEP_DAYS) -> None:
        self._command = [sys.executable, "-m", "mlops_pipeline.serving.compaction", str(folder)]
        self._command += ["--keep-days", str(keep_days)]
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """One runs now; files that end while it does are for the next."""
        if self._process is None or self._process.poll() is not None:
            # A group of its own, so that Ctrl-C leaves it alone, but no session: where the kernel
            # schedules by session, the lowest priority in one of its own is half a core.
            self._process = subprocess.Popen(self._command, process_group=0)

    def wait(self, seconds: float) -> None:
        """The one that runs has ended."""
        if self._process is not None:
            self._process.wait(seconds)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder / ".compaction", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main(argv: Sequence[str] | None = None) -> int:
    """The folder is compacted; the process's status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep-days", type=float, default=KEEP_DAYS)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    os.umask(0o077)
    os.nice(19)
    done = compact(args.folder, now=time.time(), keep_days=args.keep_days)
    logger.info("compaction=done files=%d records=%d removed=%d", *_numbers(done))
    return 0


def _numbers(done: Compacted) -> tuple[int, int, int]:
    return done.files, done.records, done.removed


if __name__ == "__main__":
    sys.exit(main())
