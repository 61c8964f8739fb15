"""Opening the ledger: one database, one writer at a time, each decision a transaction of its own.

SQLite (the default) and PostgreSQL behave alike: a writing transaction waits for its turn before it
reads, so what it read is still true when it writes. Readers never wait.
"""

import fcntl
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from mlops_pipeline.errors import LedgerError

REVISION = "0003b"  # the newest migration; a test holds it against the folder
REVISION_TABLE = "ledger_revision"  # our own: Dagster and MLflow may live in the same database
PATIENCE_SECONDS = 10.0
WRITER_LOCK = 0x6D6C6F7073  # PostgreSQL advisory lock "mlops": held by the one writer
MIGRATION_LOCK = WRITER_LOCK + 1

_log = logging.getLogger(__name__)


def open_ledger(url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """The ledger at `url` exists, has this release's tables, and can be used from many processes.

    Args:
        url: `sqlite:////absolute/path.db` or `postgresql+psycopg2://…`.
        patience_seconds: how long a writer waits for its turn before it gives up.

    Raises:
        LedgerError: the URL is unusable, the database does not answer, or it was written by a
            newer release.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(f"ledger URL {url!r} cannot be read: {error}") from None
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, patience_seconds)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed, patience_seconds)
    raise LedgerError(
        f"ledger URL {parsed!r}: use sqlite:////absolute/path.db or postgresql+psycopg2://…"
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """What the body writes is recorded as a whole when it ends, or not at all when it raises.

    Raises:
        LedgerError: another writer held the ledger for longer than the ledger's patience, or the
            database went away.
    """
    with _in_our_words(engine), engine.connect() as tx, tx.begin():
        if engine.dialect.name == "postgresql":
            tx.execute(text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"))
        yield tx


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A view of the ledger at one moment, which waits for no writer and writes nothing."""
    with _in_our_words(engine), engine.connect() as connection:
        connection = connection.execution_options(ledger_reads=True)
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        with connection.begin():
            yield connection


@contextmanager
def exclusive(engine: Engine, name: str) -> Iterator[None]:
    """Within: no other process that uses this ledger is within under the same name.

    On PostgreSQL an advisory lock, which holds across machines; on SQLite, which is one machine, a
    lock on a file beside the ledger.
    """
    if engine.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with _in_our_words(engine), engine.connect() as guard, guard.begin():
            guard.execute(text("SET LOCAL lock_timeout = 0"))  # as long as it takes, as on SQLite
            guard.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
            yield
        return
    path = Path(str(engine.url.database))
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    with path.with_name(f"{path.name}.{mark}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open_sqlite(url: URL, patience_seconds: float) -> Engine:
    if not url.database or not Path(url.database).is_absolute():
        raise LedgerError(
            f"ledger URL {url!r} names no absolute path, so each process would open its own file: "
            "write sqlite:////absolute/path.db"
        )
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url, connect_args={"timeout": patience_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two switches to WAL at once: "database is locked"
        with _in_our_words(engine):
            with engine.connect() as connection:
                raw = connection.connection.cursor()
                raw.execute("PRAGMA journal_mode = WAL")
                raw.close()
            _migrate(engine)
    return engine


def _open_postgresql(url: URL, patience_seconds: float) -> Engine:
    engine = _engine(
        url.set(drivername="postgresql+psycopg2"),
        connect_args={"options": f"-c lock_timeout={int(patience_seconds * 1000)}"},
        pool_pre_ping=True,  # a database that was restarted is found again
    )
    with _in_our_words(engine), engine.connect() as guard:
        guard.execute(text(f"SELECT pg_advisory_lock({MIGRATION_LOCK})"))
        try:
            _migrate(engine)
        finally:
            guard.execute(text(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})"))
    return engine


def _engine(url: URL, **options: Any) -> Engine:
    return create_engine(
        url,
        json_serializer=lambda value: msgspec.json.encode(value, order="sorted").decode(),
        json_deserializer=msgspec.json.decode,
        **options,
    )


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """Each new connection keeps foreign keys, syncs at commit, and leaves BEGIN to us."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn before it reads, so that it never has to give up half-way."""
    reads = connection.get_execution_options().get("ledger_reads", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reads)}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    """The tables are those of this release; the caller keeps other processes out."""
    found = _revision(engine)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise LedgerError(
            f"ledger {engine.url!r} is at revision {found}, this release knows {REVISION}: "
            "a newer release wrote it; install that release"
        )
    from alembic import command  # takes 0.2 s, and is needed once in a ledger's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    _log.info("event=ledger_migrated from=%s to=%s", found, REVISION)


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table(REVISION_TABLE):
            return None
        query = text(f"SELECT version_num FROM {REVISION_TABLE}")
        found: str | None = connection.execute(query).scalar_one_or_none()
        return found


@contextmanager
def _in_our_words(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise LedgerError(
            f"ledger {engine.url!r} does not answer or stayed busy: {str(error.orig).strip()}"
        ) from error
