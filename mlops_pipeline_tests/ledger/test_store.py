"""Opening, migrating and sharing a ledger."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from mlops_pipeline.errors import LedgerError
from mlops_pipeline.ledger import audit, store
from mlops_pipeline.ledger.store import exclusive, open_ledger, reading, transaction
from mlops_pipeline.ledger.tables import metadata
from mlops_pipeline_tests.ledger.rows import MODEL, NOON, with_versions


def _open_and_write(url: str) -> int:
    engine = open_ledger(url)
    with transaction(engine) as tx:
        entry = audit.append(
            tx, now=NOON, actor="somebody", action="test.opened", subject=MODEL, detail={}
        )
    engine.dispose()
    return entry.seq


def test_the_migrations_make_the_tables_that_the_code_uses(ledger: Engine) -> None:
    with ledger.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": store.REVISION_TABLE}
        )
        assert compare_metadata(context, metadata) == []


def test_the_code_knows_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(store.__file__).parent / "migrations"))
    assert scripts.get_current_head() == store.REVISION


def test_a_ledger_that_is_opened_again_keeps_its_rows(url: str) -> None:
    assert [_open_and_write(url), _open_and_write(url)] == [1, 2]


@pytest.mark.slow
def test_processes_that_open_a_fresh_ledger_at_once_all_succeed(url: str) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        numbers = list(pool.map(_open_and_write, [url] * 4))
    assert sorted(numbers) == [1, 2, 3, 4]


def test_threads_that_open_a_fresh_ledger_at_once_all_succeed(url: str) -> None:
    together = threading.Barrier(6)

    def open_together(_: int) -> None:
        together.wait()
        open_ledger(url).dispose()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_together, range(6)))


def test_opening_says_nothing(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    open_ledger(url).dispose()
    assert capfd.readouterr() == ("", "")


def test_a_newer_ledger_is_refused(url: str) -> None:
    engine = open_ledger(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_revision SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="at revision 9999, this release knows"):
        open_ledger(url)


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(LedgerError, match="no absolute path"):
        open_ledger("sqlite:///ledger.db")


def test_a_ledger_in_memory_is_refused() -> None:
    with pytest.raises(LedgerError, match="no absolute path"):
        open_ledger("sqlite://")


def test_another_database_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"use sqlite:////absolute/path\.db"):
        open_ledger("mysql://host/db")


def test_text_that_is_no_url_is_refused() -> None:
    with pytest.raises(LedgerError, match="'ledger' cannot be read"):
        open_ledger("ledger")


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="does not answer") as caught:
        open_ledger(f"postgresql+psycopg2://me:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_failed_transaction_leaves_nothing(ledger: Engine) -> None:
    def fail_half_way() -> None:
        with transaction(ledger) as tx:
            with_versions(tx, "1")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail_half_way()
    with reading(ledger) as view:
        assert audit.entries(view) == ()
        assert audit.verify(view) == audit.Head(0, audit.GENESIS)


def test_a_reader_sees_one_state_and_waits_for_nobody(ledger: Engine) -> None:
    with transaction(ledger) as tx:
        with_versions(tx, "1")
    with reading(ledger) as view:
        before = audit.head(view)
        with transaction(ledger) as tx:
            with_versions(tx, "2")
        assert audit.head(view) == before


def test_a_reader_cannot_write(ledger: Engine) -> None:
    with pytest.raises(Exception, match=r"read-?only"), reading(ledger) as view:
        with_versions(view, "1")
    with transaction(ledger) as tx:
        with_versions(tx, "1")


def test_a_writer_that_waits_too_long_says_so(ledger: Engine) -> None:
    url = ledger.url.render_as_string(hide_password=False)
    impatient = open_ledger(url, patience_seconds=0.05)
    with (
        transaction(ledger),
        pytest.raises(LedgerError, match="stayed busy"),
        transaction(impatient),
    ):
        pass
    impatient.dispose()


def test_of_eight_processes_one_at_a_time_is_alone_under_a_name(
    ledger: Engine, tmp_path: Path
) -> None:
    url = ledger.url.render_as_string(hide_password=False)
    told = tmp_path / "told"
    began = [
        subprocess.Popen([sys.executable, "-c", ALONE, url, str(told)], stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    for process in began:
        _, words = process.communicate(timeout=60)
        assert process.returncode == 0, words.decode()
    lines = told.read_text().split()
    assert len(lines) == 16
    assert all(lines[i : i + 2] == ["in", "out"] for i in range(0, 16, 2))


def test_whoever_dies_within_lets_the_next_in_and_other_names_do_not_wait(ledger: Engine) -> None:
    url = ledger.url.render_as_string(hide_password=False)
    dies = ALONE.replace('told("out")', "os.kill(os.getpid(), 9)")
    done = subprocess.run(
        [sys.executable, "-c", dies, url, os.devnull], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == -9, done.stderr.decode()
    impatient = open_ledger(url, patience_seconds=0.05)
    with exclusive(ledger, "register visits"), exclusive(impatient, "register parcels"):
        waits = threading.Thread(target=_alone_once, args=(impatient, "register visits"))
        waits.start()
        waits.join(0.3)  # longer than the patience of its transactions
        assert waits.is_alive()
    waits.join(10)
    assert not waits.is_alive()
    impatient.dispose()


def _alone_once(engine: Engine, name: str) -> None:
    with exclusive(engine, name):
        pass


ALONE = """
import os, sys
from mlops_pipeline.ledger.store import exclusive, open_ledger

def told(word):
    with open(sys.argv[2], "a") as file:
        file.write(word + "\\n")

with exclusive(open_ledger(sys.argv[1]), "register visits"):
    told("in")
    for _ in range(100_000):
        pass
    told("out")
"""


def test_writers_in_threads_take_turns(ledger: Engine) -> None:
    def write() -> None:
        with transaction(ledger) as tx:
            audit.append(tx, now=NOON, actor="a", action="test.wrote", subject=MODEL, detail={})

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(ledger) as view:
        assert audit.verify(view).seq == 8
