"""Each test of the ledger runs on SQLite, and on a real PostgreSQL where slow tests run."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline.ledger.tables import metadata
from mlops_pipeline_tests.postgres import postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The URL of a running PostgreSQL, without a database."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    open_ledger(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="session")
def shared_database(cluster: str) -> str:
    """The URL of a PostgreSQL database that tests use one after the other."""
    return _new_database(cluster, "shared")


BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger can be made that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    cluster = request.getfixturevalue("cluster")
    return _new_database(cluster, f"ledger{next(_numbers)}")


@pytest.fixture(params=BACKENDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        engine = open_ledger(f"sqlite:///{path}")
    else:
        engine = open_ledger(request.getfixturevalue("shared_database"))
        every = ", ".join(metadata.tables)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {every} RESTART IDENTITY"))
    yield engine
    engine.dispose()


@pytest.fixture
def tx(ledger: Engine) -> Iterator[Connection]:
    """A transaction on an empty ledger."""
    with transaction(ledger) as connection:
        yield connection


def _new_database(cluster: str, name: str) -> str:
    admin = create_engine(cluster.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return cluster.format(database=name)
