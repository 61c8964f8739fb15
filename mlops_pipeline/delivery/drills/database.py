"""A private PostgreSQL for the ledger of a drill, so that it can be killed and started again."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from mlops_pipeline.errors import DeliveryError

NOBODY = 65534  # PostgreSQL refuses to run as root
NAME = "ledger"


@dataclass(slots=True)
class Database:
    """One cluster on a unix socket of its own."""

    folder: Path
    _server: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """What the ledger is opened with."""
        return f"postgresql+psycopg2://{NAME}@/postgres?host={self.folder}"

    def pids(self) -> list[int]:
        """The server and every process that it started, the server first.

        Raises:
            DeliveryError: it does not run.
        """
        if self._server is None or self._server.poll() is not None:
            raise DeliveryError("the ledger's database does not run, so it cannot be killed")
        master = psutil.Process(self._server.pid)
        return [master.pid, *(child.pid for child in master.children(recursive=True))]

    def start(self) -> None:
        """The server runs; whether it answers is `answers`'s to say."""
        options = ("-D", str(self.folder / "data"), "-k", str(self.folder), "-h", "")
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(_program("postgres")), *options],
                cwd=self.folder,
                user=_owner(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Whether it takes a question; one that ended by itself is started again.

        After a kill it refuses to start while a process of the one before still ends.
        """
        if self._server is None or self._server.poll() is not None:
            self.start()
        engine = create_engine(self.url)
        try:
            with engine.connect() as asking:
                return bool(asking.execute(text("SELECT 1")).scalar_one())
        except OperationalError:
            return False
        finally:
            engine.dispose()

    def stop(self) -> None:
        """Nothing of it runs."""
        if self._server is None:
            return
        with suppress(DeliveryError, psutil.NoSuchProcess):
            for pid in self.pids():
                psutil.Process(pid).kill()
        self._server.wait(10)


def installed() -> bool:
    """Whether PostgreSQL's programs are on the path."""
    return shutil.which("initdb") is not None


@contextmanager
def database() -> Iterator[Database]:
    """An empty cluster, whose server `start` starts; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mdb", dir="/tmp"))  # sockets need short paths
    made = Database(folder)
    try:
        owner = _owner()
        if owner is not None:
            os.chown(folder, owner, owner)
        done = subprocess.run(
            [str(_program("initdb")), "--auth=trust", "-U", NAME, "-D", str(folder / "data")],
            cwd=folder,
            user=owner,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DeliveryError(f"initdb: {done.stderr.strip()}")
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> Path:
    found = shutil.which("initdb")
    if found is None:
        raise DeliveryError("PostgreSQL is not on the path: install it, or leave its drills out")
    return Path(found).resolve().with_name(name)


def _owner() -> int | None:
    return NOBODY if os.geteuid() == 0 else None
