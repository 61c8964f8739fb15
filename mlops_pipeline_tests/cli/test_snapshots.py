"""`mlops snapshots` and `mlops review`, from the words typed to the exit code."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops_pipeline.cli.main import main
from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.data.quality import CheckOutcome
from mlops_pipeline.data.review import settle
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.source_columns import note_columns
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import audit
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import BOTH, filled, path_of

CONTRACT = tiny.contract()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def snapshots(home: Path) -> Snapshots:
    return filled(home)


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    return result.exit_code, result.output


def told(*words: str) -> tuple[int, Any]:
    code, output = run(*words, "--json")
    found = json.loads(output.splitlines()[-1])
    assert found["exit_code"] == code
    return code, found


def test_snapshots_are_listed_shown_and_compared(snapshots: Snapshots) -> None:
    january = snapshots.commit(CONTRACT, Window.of_month("2024-01"))
    both = snapshots.commit(CONTRACT, BOTH)
    code, found = told("snapshots", "list")
    assert (code, [one["rows"] for one in found["snapshots"]]) == (0, [7, 8])
    code, found = told("snapshots", "show", both.digest[:8])
    assert (found["parent"], len(found["manifest"]["parts"])) == (january.digest, 2)
    code, output = run("snapshots", "diff", january.digest[:8], both.digest[:8])
    assert code == 1
    assert "2024-02 added: 0 -> 1 rows" in output
    assert run("snapshots", "diff", both.digest, both.digest) == (0, "the same rows\n")
    assert run("snapshots", "list")[1].count("visits") == 2
    assert "committed after" in run("snapshots", "show", both.digest)[1]


def test_a_snapshot_that_is_not_there_is_named_in_one_line(snapshots: Snapshots) -> None:
    code, output = run("snapshots", "show", "abcdef")
    assert code == 3
    assert "no snapshot begins with abcdef" in output


def test_verify_reads_every_byte(snapshots: Snapshots) -> None:
    both = snapshots.commit(CONTRACT, BOTH)
    assert run("snapshots", "verify") == (0, "1 snapshots read, 0 faults\n")
    path_of(snapshots, snapshots.manifest(both.digest).parts[0].digest).write_bytes(b"spoilt")
    code, found = told("snapshots", "verify")
    assert (code, [fault["part"] for fault in found["faults"]]) == (1, ["2024-01"])


def test_a_collection_says_what_would_go_before_it_goes(snapshots: Snapshots) -> None:
    stray = snapshots.objects.put(b"nobody's")
    snapshots.commit(CONTRACT, BOTH)
    words = ("snapshots", "gc", "--grace-hours", "0")
    for more in (["--dry-run"], []):
        _, dry = told(*words, *more)
        assert [one["digest"] for one in dry["unreached"]] == [stray]
        assert not dry["removed"]
    assert "1 would go with --delete" in run(*words)[1]
    assert stray in snapshots.objects
    assert run(*words, "--dry-run", "--delete")[0] == 4
    assert stray in snapshots.objects
    assert "1 are gone" in run(*words, "--delete")[1]
    assert stray not in snapshots.objects
    assert run("snapshots", "verify")[0] == 0


def test_a_collection_keeps_what_the_newest_record_of_an_asset_names(
    home: Path, snapshots: Snapshots
) -> None:
    matrix, stray = (snapshots.objects.put(content) for content in (b"a matrix", b"nobody's"))
    record = home / "records" / "visits" / "features.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"digest": matrix}))
    _, found = told("snapshots", "gc", "--grace-hours", "0", "--delete")
    assert [one["digest"] for one in found["unreached"]] == [stray]
    assert matrix in snapshots.objects


def test_columns_that_the_source_gained_or_lost_are_told_by_month(home: Path) -> None:
    root = home / "partitions"
    note_columns(root, "visits", "2024-01", {"at": "time", "gate": "text"})
    note_columns(root, "visits", "2024-02", {"at": "time", "gate": "number", "tip": "number"})
    assert run("snapshots", "columns", "visits") == (
        0,
        "2024-02  gate retyped: was text, is number\n"
        "2024-02  tip added (number)\n"
        "2 months noted, 1 with other columns than the one before\n",
    )
    _, found = told("snapshots", "columns", "visits")
    assert [len(month["changes"]) for month in found["months"]] == [0, 2]


@pytest.mark.parametrize("words", [["columns", "../.."], ["list", "--model", "../visits"]])
def test_a_name_that_is_a_path_is_no_model(home: Path, words: list[str]) -> None:
    code, output = run("snapshots", *words)
    assert code == 3
    assert "is no model's name: small letters, digits and _" in output


def failed(check: str) -> CheckOutcome:
    rows = ({"column": "amount", "found": 101.0},)
    said = "9 rows, usually 90"
    return CheckOutcome(check, Severity.WARN, False, said, 0.9, 0.5, rows, {"too few": 9})


def test_an_approval_lets_exactly_that_snapshot_pass_exactly_that_check(home: Path) -> None:
    engine = open_ledger(f"sqlite:///{home / 'ledger.db'}")
    now = datetime(2024, 3, 1, tzinfo=UTC)

    def settled(subject: str, check: str) -> bool:
        with transaction(engine) as tx:
            return settle(tx, "visits", subject, failed(check), now=now).passed

    assert not settled("a" * 64, "volume")
    assert not settled("a" * 64, "distribution")
    assert run("review", "list")[1].count("9 rows, usually 90") == 2
    assert told("review", "list", "--model", "other")[1]["items"] == []
    shown = run("review", "show", "1")[1]
    assert "9 rows: too few" in shown
    assert "column=amount  found=101.0" in shown
    assert "nobody has answered" in shown
    code, found = told("review", "approve", "1", "--reason", "a strike", "--by", "mara")
    assert (code, found["item"]["approver"]) == (0, "mara")
    assert "mara: a strike" in run("review", "show", "1")[1]
    assert settled("a" * 64, "volume")
    assert not settled("a" * 64, "distribution")
    assert not settled("b" * 64, "volume")
    with transaction(engine) as tx:
        audit.verify(tx)
        said = [(entry.actor, entry.action) for entry in audit.entries(tx, "visits/review/1")]
    assert said[-1] == ("mara", "review.approved")
    engine.dispose()


def test_an_approval_needs_a_reason_and_a_question(home: Path) -> None:
    assert run("review", "approve", "1")[0] == 4
    code, output = run("review", "approve", "7", "--reason", "x", "--by", "mara")
    assert (code, "no review has the number 7" in output) == (3, True)
    assert run("review", "list") == (0, "nothing waits\n")
