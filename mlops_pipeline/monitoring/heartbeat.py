"""The heartbeat of the daemon: a file that a sensor touches, and a watch that misses it.

A daemon that died can tell nobody. Whoever runs beside it, such as the serving node, looks at the
file, raises the incident itself, and delivers what waits in the outbox for as long as the daemon
does not.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from mlops_pipeline.data.objects import write_durably
from mlops_pipeline.errors import MlopsError
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.monitoring.alerts import deliver_due
from mlops_pipeline.monitoring.causes import FLEET, PLATFORM, Cause, recovered, tell
from mlops_pipeline.settings import Settings

SILENT_AFTER = timedelta(seconds=180)  # three beats of the sensor, and some patience
LOOK_SECONDS = 10.0

_log = logging.getLogger(__name__)


def beat(home: Path, now: datetime) -> None:
    """It is known that the daemon lived at `now`."""
    path = beat_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, msgspec.json.encode({"at": now}))


def last_beat(home: Path) -> datetime | None:
    """When the daemon lived last; None where none ever ran on this home."""
    try:
        content = beat_path(home).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(content, type=dict[str, datetime])["at"]


def beat_path(home: Path) -> Path:
    """The file."""
    return home / "heartbeat" / "daemon.json"


def look(settings: Settings, now: datetime, *, silent_after: timedelta = SILENT_AFTER) -> bool:
    """Whether the daemon is silent; if so there is an incident, and what waits was delivered.

    A home on which no daemon ever ran is not silent: there was nobody to miss.
    """
    heard = last_beat(settings.home)
    if heard is None:
        return False
    silence = now - heard
    silent = silence > silent_after
    engine = open_ledger(settings.ledger_url)
    try:
        with transaction(engine) as tx:
            if silent:
                summary = f"the Dagster daemon was last heard of at {heard:%Y-%m-%d %H:%M:%S} UTC"
                seconds = silence.total_seconds(), silent_after.total_seconds()
                detail = dict(zip(("value", "limit"), seconds, strict=True))
                about = {"owner": PLATFORM, "summary": summary}
                tell(tx, FLEET, Cause.DAEMON, **about, detail=detail, now=now)
            else:
                recovered(tx, FLEET, Cause.DAEMON, reason="the daemon is back", now=now)
        if silent and settings.alert_urls:
            deliver_due(engine, settings.alert_urls, now=now)
    finally:
        engine.dispose()
    return silent


@contextmanager
def watching(settings: Settings, *, every: float = LOOK_SECONDS) -> Iterator[None]:
    """While the body runs, a silent daemon is noticed."""
    stop = threading.Event()

    def watch() -> None:
        said = False
        while not stop.wait(every):
            try:
                silent = look(settings, datetime.now(UTC))
            except (MlopsError, OSError):
                _log.exception("event=heartbeat_look_failed")
                continue
            if silent != said:
                _log.warning("event=daemon_%s", "silent" if silent else "back")
                said = silent

    thread = threading.Thread(target=watch, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
